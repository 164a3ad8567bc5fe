/**
 * The URL of a path of this server, made as frame.At makes it: the page has the base path, if Skein is served below one.
 * Every link, form and fetch of these modules must use it, and a test checks that.
 * @param {string} path
 */
export const at = (path) => (globalThis.document?.documentElement?.dataset?.base ?? '') + path
