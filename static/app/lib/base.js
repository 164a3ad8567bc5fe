/**
 * The address of a path of this server, as frame.At makes it: the page says what stands before it where Skein is served below a
 * path. Every link, form and fetch of these modules goes through here; a test holds them to it.
 * @param {string} path
 */
export const at = (path) => (globalThis.document?.documentElement?.dataset?.base ?? '') + path
