import { CloseCode, closeName, errorName, reconnects } from './codes.js'

/** @import { WireError } from './types.js' */

/**
 * @typedef {object} ErrorDetails
 * @property {number} [code]
 * @property {boolean} [final] connecting again cannot help
 * @property {number} [retryAfterMs] connecting again before this many milliseconds cannot help
 * @property {unknown} [cause]
 */

/**
 * Every error of this library. `kind` is for programs: the kinds of the protocol (`not_found`, `resource_exhausted`, …)
 * and the client's own: `closed`, `connection_lost`, `no_transport`, `connect_failed`, `not_skein`, `untrusted_certificate`,
 * `outbox_full`, `outcome_unknown`, `timeout`, `bad_stream`, `hash_mismatch`, `size_mismatch`, `not_resumable`, `not_loaded`.
 */
export class SkeinError extends Error {
  /**
   * @param {string} kind
   * @param {string} message
   * @param {ErrorDetails} [details]
   */
  constructor(kind, message, details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'SkeinError'
    this.kind = kind
    /** A JSON-RPC error code, a close code, a stream code or an HTTP status, by the class of the error; 0: none. */
    this.code = details.code ?? 0
    this.final = details.final ?? false
    this.retryAfterMs = details.retryAfterMs ?? 0
  }
}

/** The server's answer to a request is an error. */
export class RpcError extends SkeinError {
  /** @param {WireError} error */
  constructor(error) {
    const kind = error.data?.kind ?? errorName(error.code)
    super(kind, error.message, { code: error.code, final: kind === 'unauthorized' || kind === 'unsupported_version' })
    this.name = 'RpcError'
    /** The parameter at fault, if one is. */
    this.field = error.data?.field
    /** What is allowed instead. */
    this.supported = error.data?.supported ?? []
    /** What the server said beside the message. */
    this.data = error.data ?? {}
  }
}

/**
 * Whether a door refused its ticket. That is never final: a server that has restarted knows none of the time before, so
 * that another document is needed. Who may not come in learns it from /connect.
 * @param {unknown} e
 */
export function isStale(e) {
  if (e instanceof RpcError) return e.kind === 'ticket_expired' || e.kind === 'unauthorized'
  return e instanceof CloseError && (e.code === CloseCode.ticket_expired || e.code === CloseCode.unauthorized) // the answer may be lost before it
}

/** A session ended. */
export class CloseError extends SkeinError {
  /**
   * @param {number} code
   * @param {string} [reason]
   * @param {number} [reconnectAfterMs] -1: do not come back
   */
  constructor(code, reason = '', reconnectAfterMs = 0) {
    super('closed', reason || closeName(code), {
      code,
      final: reconnectAfterMs < 0 || !reconnects(code),
      retryAfterMs: Math.max(0, reconnectAfterMs),
    })
    this.name = 'CloseError'
    this.reason = reason || closeName(code)
  }
}

/** No session came about. `failures` tells what each door said. */
export class ConnectError extends SkeinError {
  /**
   * @param {string} kind
   * @param {string} message
   * @param {ErrorDetails & {failures?: {transport: string, url: string, error: Error}[]}} [details]
   */
  constructor(kind, message, details = {}) {
    super(kind, message, details)
    this.name = 'ConnectError'
    this.failures = details.failures ?? []
  }
}

/**
 * What a thrown value says, in a few words.
 * @param {unknown} e
 */
export function messageOf(e) {
  return e instanceof Error ? e.message || e.name : String(e)
}

/**
 * @param {unknown} e
 * @returns {Error}
 */
export function asError(e) {
  return e instanceof Error ? e : new Error(messageOf(e))
}
