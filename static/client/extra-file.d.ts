/** The name of extra.js's file, where build.js gave it one. */
declare const EXTRA_FILE: string | undefined
