/**
 * Splits a command as a person types it: at white space, except within '…' and "…". A backslash, outside of '…', takes the
 * next character literally; within "…" only \" and \\ are escapes. Nothing is expanded, because no shell reads it.
 * @param {string} text
 * @returns {{argv: string[], error: string, shell: boolean}} `shell`: whether the command looks as if it expects a shell
 */
export function parseArgv(text) {
  /** @type {string[]} */
  const argv = []
  /** @type {string | undefined} */
  let arg
  let quote = ''
  let shell = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i)
    if (quote) {
      if (c === quote) quote = ''
      else if (c === '\\' && quote === '"' && '"\\'.includes(text.charAt(i + 1)) && i + 1 < text.length) arg += text.charAt(++i)
      else arg += c
    } else if (c === '"' || c === "'") {
      quote = c
      arg ??= ''
    } else if (/\s/.test(c)) {
      if (arg !== undefined) argv.push(arg)
      arg = undefined
    } else if (c === '\\') {
      if (++i >= text.length) return { argv, error: 'There is nothing after the backslash at the end.', shell }
      arg = (arg ?? '') + text.charAt(i)
    } else {
      if ('|<>&;$`*'.includes(c)) shell = true
      arg = (arg ?? '') + c
    }
  }
  if (quote) return { argv: arg === undefined ? argv : [...argv, arg], error: `The ${quote} is not closed.`, shell }
  if (arg !== undefined) argv.push(arg)
  return { argv, error: '', shell }
}

/** @param {string} text one argument per line; an empty line in between is an empty argument */
export function splitLines(text) {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** @param {string[]} argv in the way parseArgv reads back */
export const joinArgv = (argv) =>
  argv.map((a) => (a !== '' && !/[ \t\n\r"'\\$`|&;<>()*?[\]#~!{}]/.test(a) ? a : `'${a.replaceAll("'", "'\\''")}'`)).join(' ')

/**
 * Reads lines of NAME=value.
 * @param {string} text
 * @returns {{pairs: Record<string, string>, error: string}}
 */
export function parsePairs(text) {
  /** @type {Record<string, string>} */
  const pairs = {}
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const at = line.indexOf('=')
    if (at < 1) return { pairs, error: `Line ${i + 1} is not NAME=value.` }
    pairs[line.slice(0, at).trim()] = line.slice(at + 1)
  }
  return { pairs, error: '' }
}
