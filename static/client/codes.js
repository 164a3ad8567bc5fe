/**
 * The numbers of skein.v1: limits, error codes, close codes, stream codes. docs/protocol.md says what each means. The
 * vectors in webtransport/wire/testdata keep this file and the Go package wire in agreement.
 */

export const VERSION = 'skein.v1'

/** WebSocket subprotocols, best first. Each names the QMux draft and the protocol on top of it. */
export const SUBPROTOCOLS = ['qmux-02.skein.v1', 'qmux-01.skein.v1']

/** The longest header line of a stream and the longest JSON-RPC line that a client may send, in bytes, newline included. */
export const MAX_HEADER = 4 << 10
export const MAX_MESSAGE = 1 << 20

/** The most tasks in one submit, and the most inputs of one orchestration. */
export const MAX_BATCH = 1000

/**
 * The largest input of a task, result of a task and value in memory, in bytes before encoding. Larger ones belong in an
 * artifact.
 */
export const MAX_TASK_INPUT = 256 << 10
export const MAX_TASK_OUTPUT = 256 << 10
export const MAX_MEMORY_VALUE = 512 << 10

/** The most keys in one bulk request of the memory lane. */
export const MAX_MEMORY_BULK = 500

/** The states of a task. The last four are terminal: the task is over unless it is retried. */
export const TASK_STATES = /** @type {const} */ (['submitted', 'working', 'input_required', 'completed', 'failed', 'canceled', 'rejected'])

/**
 * Whether a task in this state is over.
 * @param {string} state
 */
export function isTerminal(state) {
  return TASK_STATES.indexOf(/** @type {any} */ (state)) >= 3
}

/** The priorities, most urgent first. */
export const PRIORITIES = /** @type {const} */ (['critical', 'high', 'normal', 'low'])

/** The longest JSON-RPC id, in bytes of its JSON text. */
export const MAX_REQUEST_ID = 128

/** The longest line that this library reads, in bytes. Servers send far shorter ones; a longer line ends the session. */
export const MAX_LINE = 16 << 20

/** How many bytes may wait to be sent on one lane. A write beyond that fails with kind `outbox_full`. */
export const MAX_OUTBOX = 8 << 20

/**
 * How many requests, and how many bytes of them, may wait for an answer in one client. All of them fit the outbox of a
 * fresh session.
 */
export const MAX_PENDING = 1000
export const MAX_PENDING_BYTES = 4 << 20

/**
 * How long after its first sending a request may be sent again, in milliseconds. The server keeps its replies for ten
 * minutes; one minute less leaves room for delays and for clocks that differ.
 */
export const RESEND_WINDOW_MS = 9 * 60_000

/**
 * How often a request is sent again after the server answered `outcome_unknown` because its store did not reply, and the
 * pause before that, in milliseconds.
 */
export const MAX_UNSURE = 5
export const UNSURE_GAP_MS = 1000

/** The JSON-RPC error codes, by the name in `error.data.kind`. */
export const ErrorCode = Object.freeze({
  parse_error: -32700,
  invalid_request: -32600,
  method_not_found: -32601,
  invalid_params: -32602,
  internal: -32603,
  unauthorized: -32001,
  not_found: -32002,
  conflict: -32003,
  resource_exhausted: -32004,
  unavailable: -32005,
  failed_precondition: -32006,
  spawn_failed: -32007,
  too_large: -32008,
  unsupported_version: -32009,
  ticket_expired: -32010,
  timeout: -32011,
  origin_not_allowed: -32012,
  outcome_unknown: -32013,
})

/** @type {Map<number, string>} */
const errorNames = new Map(Object.entries(ErrorCode).map(([name, code]) => [code, name]))

/** @param {number} code */
export function errorName(code) {
  return errorNames.get(code) ?? `code ${code}`
}

/** Why a session ended. */
export const CloseCode = Object.freeze({
  normal: 0,
  shutdown: 3000,
  draining: 3001,
  slow_consumer: 3002,
  internal: 3003,
  hello_timeout: 3004,
  ticket_expired: 3005,
  lost: 3006, // used on this side only, never sent
  unauthorized: 3500,
  protocol: 3501,
  version: 3502,
  too_much: 3503,
  logged_out: 3504,
})

/** @type {Map<number, string>} */
const closeNames = new Map([
  [0, 'normal'],
  [3000, 'shutdown'],
  [3001, 'draining'],
  [3002, 'slow consumer'],
  [3003, 'internal error'],
  [3004, 'no hello in time'],
  [3005, 'ticket expired'],
  [3006, 'connection lost'],
  [3500, 'unauthorized'],
  [3501, 'protocol error'],
  [3502, 'unsupported version'],
  [3503, 'limit exceeded'],
  [3504, 'logged out'],
])

/** @param {number} code */
export function closeName(code) {
  return closeNames.get(code) ?? (reconnects(code) ? 'closed, connect again' : 'closed')
}

/**
 * Whether a client connects again after this close code: 3000–3499 and 4000–4499 yes, everything else no.
 * @param {number} code
 */
export function reconnects(code) {
  return (code >= 3000 && code < 3500) || (code >= 4000 && code < 4500)
}

/** Application error codes on RESET_STREAM and STOP_SENDING. */
export const StreamCode = Object.freeze({
  canceled: 0,
  bad_header: 1,
  bad_lane: 2,
  too_large: 3,
  timeout: 4,
  bad_message: 5,
  internal: 6,
})
