/**
 * Formats values. ui/words/format.go has the same rules, for the first render; a test checks both against
 * ui/testdata/format.json.
 */

/** @import { Agent, Exit, Leftover } from '../../client/types.js' */

/** Shown where a value does not apply. */
export const NONE = '–'

/** @param {number} x */
const oneDecimal = (x) => (Math.floor(x * 10 + 0.5) / 10).toFixed(1).replace(/\.0$/, '')

/** @param {number} x */
const whole = (x) => String(Math.floor(x + 0.5))

/** @param {number} n a size in bytes */
export function bytes(n) {
  if (n < 1024) return `${Math.max(n, 0)} B`
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  for (; n >= 1023.5 && unit < units.length - 1; unit++) n /= 1024
  return `${n < 9.95 ? oneDecimal(n) : whole(n)} ${units[unit]}`
}

/** @param {number} cores in use; written as per cent of one */
export function cpu(cores) {
  const p = cores * 100
  if (!(p > 0)) return '0%'
  if (p < 0.1) return '<0.1%'
  return `${p < 9.95 ? oneDecimal(p) : whole(p)}%`
}

/** @param {number} ms how long something took or has lasted */
export function span(ms) {
  const s = Math.floor(ms / 1000)
  if (s < 1) return '0s'
  if (s < 60) return `${s}s`
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`
  return `${Math.floor(s / 86400)}d ${Math.floor(s / 3600) % 24}h`
}

/** @param {number} ms since something happened */
export function ago(ms) {
  const s = Math.floor(ms / 1000)
  if (s < 2) return 'just now'
  if (s < 60) return `${s}s ago`
  if (s < 3600) return `${Math.floor(s / 60)}m ago`
  if (s < 86400) return `${Math.floor(s / 3600)}h ago`
  return `${Math.floor(s / 86400)}d ago`
}

/**
 * How long ago something was, or how soon it will be.
 * @param {string} time
 * @param {number} now
 */
export function when(time, now) {
  const left = Date.parse(time) - now
  return left > 0 ? `in ${span(left + 999)}` : ago(-left)
}

/** @param {number} ms a round trip */
export function roundTrip(ms) {
  return `${ms < 9.95 ? oneDecimal(ms) : whole(ms)} ms`
}

/** @param {string | number} time in the reader's own time zone */
export function clock(time) {
  const t = new Date(time)
  return [t.getHours(), t.getMinutes(), t.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':')
}

/**
 * @param {number} n
 * @param {string} one
 * @param {string} many
 */
export const count = (n, one, many) => (n === 1 ? `1 ${one}` : `${n} ${many}`)

/**
 * Says what the log no longer has. ui/agent/output.go has the same text.
 * @param {import('../../client/types.js').Dropped} d
 */
export const droppedText = (d) => `${bytes(d.bytes)} from ${clock(d.from)} to ${clock(d.to)} are no longer there: the log was full.`

/**
 * Combines an agent's status and reason into the state that its word, shape and colour show.
 * @param {Pick<Agent, 'status' | 'reason'>} a
 */
export const state = (a) => (a.status === 'exited' && a.reason ? a.reason : a.status)

/** @param {string} s */
export const stateWord = (s) => (s ? s[0]?.toUpperCase() + s.slice(1) : NONE)

/**
 * The word for an agent that waits for a person, and for its task, everywhere. ui/testdata/words.json has the words of all
 * states, for both renderings and the command line.
 */
export const NEEDS_YOU = 'Needs you'

/**
 * Counts agents or tasks that wait for a person.
 * @param {number} n
 */
export const needYou = (n) => (n === 1 ? '1 needs you' : `${n} need you`)

/**
 * How long ago an agent that should be alive last gave a sign of life.
 * @param {Pick<Agent, 'status' | 'last_heartbeat'>} a
 * @param {number} now milliseconds
 */
export const heartbeat = (a, now) => (a.last_heartbeat && alive(a) ? ago(now - Date.parse(a.last_heartbeat)) : NONE)

/**
 * Whether a record replaces the one shown. A server that was killed counts revisions from an older record again; but an
 * agent that has ended stays ended.
 * @param {Pick<Agent, 'rev' | 'status'>} a
 * @param {Pick<Agent, 'rev' | 'status'> | undefined} shown
 */
export const replaces = (a, shown) => !shown || a.rev >= shown.rev || (alive(shown) && !alive(a))

/** @param {Pick<Agent, 'status'>} a whether it has a process or may still get one */
export const alive = (a) => a.status !== 'exited' && a.status !== 'lost'

/**
 * Why an agent needs a person.
 * @param {Agent} a
 * @returns {'' | 'question' | 'leftovers' | 'unreachable' | 'loop' | 'suspended' | 'stalled' | 'failed'}
 */
export function need(a) {
  if (a.activity === 'requires_action') return 'question'
  if (a.exit?.leftovers?.length) return 'leftovers'
  if (a.status === 'unknown' || a.status === 'lost') return 'unreachable'
  if (a.crash_loop && alive(a)) return 'loop'
  if (a.suspended && !a.paused?.frozen) return 'suspended'
  if (a.stalled) return 'stalled'
  return a.reason === 'failed' ? 'failed' : ''
}

/**
 * What a person must know to end processes that outlived a stop.
 * @param {Leftover[]} [left]
 */
export const leftoversText = (left) =>
  (left ?? []).map((l) => clean(`process ${l.pid}${l.name ? ` (${l.name})` : ''}${l.user ? ` of user ${l.user}` : ''}`)).join(', ')

/**
 * Says how an agent ended: the code or signal, and the server's message.
 * @param {Exit} [e]
 */
export function exitText(e) {
  if (!e) return 'It failed.'
  const message = clean(e.message ?? '')
  if (e.signal) return joinExit(`Ended by ${e.signal}`, message, `killed by ${e.signal}`)
  if (e.code >= 0) return joinExit(`Exit code ${e.code}`, message, `exit status ${e.code}`)
  return message ? message[0]?.toUpperCase() + message.slice(1) : 'It did not start.'
}

/**
 * @param {string} head
 * @param {string} message
 * @param {string} repeated
 */
function joinExit(head, message, repeated) {
  if (message.startsWith(repeated)) return head + message.slice(repeated.length)
  return message ? `${head}: ${message}` : head
}

/** @param {Agent} a whether it has processes whose resource usage is known; a script has none */
const measured = (a) => alive(a) && a.usage.processes > 0

/** @param {Agent} a */
export const cpuCell = (a) => (measured(a) ? cpu(a.usage.cpu ?? 0) : NONE)

/** @param {Agent} a */
export const memCell = (a) => (measured(a) ? bytes(a.usage.rss ?? 0) : NONE)

/** @param {Agent} a */
export function pidText(a) {
  if (!a.process?.pid) return NONE
  return a.usage.processes > 1 ? `${a.process.pid} +${a.usage.processes - 1}` : String(a.process.pid)
}

/** @param {string} id */
export const shortId = (id) => id.slice(0, 7)

/** @param {string} id */
export const shortTaskId = (id) => id.slice(0, 7)

/**
 * The group of the fleet's list that an agent belongs to, as long as nobody has dismissed it. A process that was started for a task
 * stands among the others only if its task cannot help.
 * @param {Agent} a
 * @returns {'needs' | 'failing' | 'working' | 'finished' | 'ended' | 'tasks'}
 */
export function group(a) {
  const why = need(a)
  if (why === 'question') return 'needs'
  if (a.for_task && why !== 'leftovers') return 'tasks'
  if (why || a.restart_at) return 'failing'
  if (alive(a)) return 'working'
  return a.reason === 'completed' ? 'finished' : 'ended'
}

/**
 * Control sequences of ECMA-48: CSI, OSC and the other strings, which any escape ends, and two-byte ones. It also matches
 * an unfinished one at the end.
 */
export const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*(?:[@-~]|$)|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|\x1b?$)?|[ -/]*(?:[0-Z\\^-~]|$))/g

/** Characters that print nothing or turn the text around. */
const CONTROL = /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g

/** @param {string} s printed text, made fit for one line */
export const clean = (s) => s.replace(ESCAPES, '').replace(/[\t\n\r]/g, ' ').replace(CONTROL, '').trim()

/** @param {string} s */
export const printable = (s) => s.replace(CONTROL, (c) => (c === '\t' ? c : ''))
