import { CloseError, ConnectError, asError, isStale } from './errors.js'
import { ErrorCode, VERSION } from './codes.js'
import { outOfReach } from './unreachable.js'

/** @import { ConnectDocument, Endpoint, Policy, Transport } from './types.js' */
/** @import { Session } from './session.js' */

/** The longest connect document that is read, in bytes, and how long fetching one may take, in milliseconds. */
const MAX_DOCUMENT = 1 << 20
const DOCUMENT_TIMEOUT_MS = 10_000

/** How long the endpoints may take before an attempt is given up, in milliseconds. */
export const RACE_TIMEOUT_MS = 15_000

/**
 * How long the document and the endpoints may take, each, in the first attempt after a session, in milliseconds. It is
 * short because, while the network changes, the packets of one attempt may be lost where those of the next arrive.
 */
const RETRY_TIMEOUT_MS = 3000

/**
 * How long an attempt may take.
 * @param {number | undefined} retries failed attempts since the last session; undefined if there has been no session yet
 */
export const patience = (retries) => (retries === undefined ? RACE_TIMEOUT_MS : Math.min(RETRY_TIMEOUT_MS * 2 ** retries, RACE_TIMEOUT_MS))

/** How many race delays WebTransport starts after WebSocket when the client remembers that WebTransport did not answer. */
const REVERSED_DELAYS = 4

/** @type {Policy} */
export const DEFAULT_POLICY = {
  race_delay_ms: 500,
  backoff_min_ms: 500,
  backoff_max_ms: 20_000,
  healthy_ms: 10_000,
  ping_ms: 10_000,
}

/**
 * Fetches the connect document, which lists the endpoints.
 * @param {{url: string, token?: string, fetch: typeof globalThis.fetch, signal: AbortSignal, timeoutMs?: number}} options
 * @returns {Promise<ConnectDocument>}
 */
export async function fetchConnect({ url, token, fetch, signal, timeoutMs = DOCUMENT_TIMEOUT_MS }) {
  const ms = Math.min(timeoutMs, DOCUMENT_TIMEOUT_MS)
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(new ConnectError('connect_failed', `${url} did not answer within ${ms} ms`)), ms)
  const abort = () => timeout.abort(signal.reason)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    /** @type {Record<string, string>} */
    const headers = { Accept: 'application/json' }
    if (token) headers.Authorization = `Bearer ${token}`
    const response = await fetch(below(url, 'connect').href, {
      method: 'POST',
      headers,
      credentials: token ? 'omit' : 'same-origin',
      cache: 'no-store',
      redirect: 'manual', // Skein never redirects
      signal: timeout.signal,
    })
    if (foreign(response)) {
      response.body?.cancel().catch(() => {})
      throw notSkein(url)
    }
    const body = await readText(response)
    if (!response.ok) throw refused(response, body)
    return whole(checkDocument(body, url), below(url, 'connect'))
  } catch (e) {
    if (timeout.signal.aborted) throw timeout.signal.reason
    if (e instanceof ConnectError) throw e
    throw outOfReach(url, e)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

/**
 * The URL of a name below the server's URL, which may have a path.
 * @param {string} url
 * @param {string} name
 */
function below(url, name) {
  const folder = new URL(url)
  folder.search = folder.hash = ''
  if (!folder.pathname.endsWith('/')) folder.pathname += '/'
  return new URL(name, folder)
}

/**
 * Makes the URLs of the endpoints absolute. That of a WebSocket is a path on the host that the document came from, with TLS
 * if the document came over TLS: a server behind a proxy knows neither.
 * @param {ConnectDocument} doc
 * @param {URL} from
 * @returns {ConnectDocument}
 */
function whole(doc, from) {
  const endpoints = doc.doors.map((endpoint) => {
    const url = new URL(endpoint.url, from)
    if (endpoint.transport === 'websocket') url.protocol = url.protocol.replace(/^http/, 'ws')
    return { ...endpoint, url: url.href }
  })
  return { ...doc, doors: endpoints }
}

/**
 * Whether something other than a Skein server answered: an HTML page or a redirect, with any status.
 * @param {Response} response
 */
function foreign({ type, status, headers }) {
  return type === 'opaqueredirect' || (status >= 300 && status < 400) || status === 511 || /^(text\/html|application\/xhtml)/i.test(headers.get('content-type') ?? '')
}

/**
 * @param {string} url
 * @param {unknown} [cause]
 */
function notSkein(url, cause) {
  return new ConnectError('not_skein', `what answers at ${url} is not Skein: if this network wants a login, as hotels do, open any page in another tab and sign in there`, { cause })
}

/** @param {Response} response */
async function readText(response) {
  if (!response.body) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.length
    if (size > MAX_DOCUMENT) {
      await reader.cancel()
      throw new ConnectError('connect_failed', `the connect document is longer than ${MAX_DOCUMENT} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

/**
 * @param {Response} response
 * @param {string} body
 */
function refused(response, body) {
  const { status } = response
  let plain = response.headers.get('content-type')?.startsWith('text/plain') ? body.trim().slice(0, 300) : ''
  let kind = 'unauthorized'
  try {
    const { error } = JSON.parse(body)
    plain ||= String(error.message)
    if (error.code === ErrorCode.origin_not_allowed) kind = 'origin_not_allowed'
  } catch {
    // the body is not one of Skein's errors, so only the status counts
  }
  if (status === 401 || status === 403) {
    return new ConnectError(kind, plain || `the server refuses this login (${status})`, { code: status, final: true })
  }
  const seconds = Number(response.headers.get('retry-after'))
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3600) * 1000 : 0
  return new ConnectError('connect_failed', `the server answered ${status}${plain && `: ${plain}`}`, { code: status, retryAfterMs })
}

/**
 * @param {string} body
 * @param {string} url
 * @returns {ConnectDocument}
 */
function checkDocument(body, url) {
  let doc
  try {
    doc = JSON.parse(body)
  } catch (e) {
    throw notSkein(url, e)
  }
  if (!Array.isArray(doc?.doors)) throw notSkein(url)
  if (doc.version !== VERSION) {
    throw new ConnectError('unsupported_version', `the server speaks ${doc.version}, this client ${VERSION}`, { final: true })
  }
  const policy = { ...DEFAULT_POLICY }
  for (const key of /** @type {(keyof Policy)[]} */ (Object.keys(policy))) {
    if (doc.policy?.[key] > 0) policy[key] = doc.policy[key]
  }
  return { ...doc, policy }
}

/**
 * @typedef {object} Winner
 * @property {Session} session
 * @property {Transport} transport
 * @property {string} reason why the transport is not WebTransport, in words for a person; empty when it is
 * @property {boolean} silent whether WebTransport was tried and neither opened nor failed
 */

/**
 * @typedef {object} Failure
 * @property {Transport} transport
 * @property {string} url
 * @property {Error} error
 */

/**
 * @typedef {object} RaceOptions
 * @property {'auto' | Transport} transport
 * @property {string} [missing] why this side has no WebTransport; empty if it has
 * @property {string} [hopeless] why WebTransport is not worth trying if there is another endpoint; empty if it is
 * @property {string} [remembered] why WebTransport is not worth waiting for; empty if it is
 * @property {(endpoint: Endpoint, signal: AbortSignal, connected: () => void) => Promise<Session>} open opens an endpoint and says
 *   hello; calls `connected` when the endpoint is open and the hello is not answered yet; closes what it opened when
 *   `signal` is aborted
 * @property {AbortSignal} signal
 * @property {number} [timeoutMs] how long until the attempt is given up
 * @property {boolean} [patient] whether the other endpoints keep their full time after one refused its ticket
 * @property {(what: string, detail: object) => void} [log]
 */

/**
 * Tries the endpoints: WebTransport first; WebSocket joins after the policy's delay, or at once when WebTransport fails
 * before that. When the client remembers that WebTransport did not answer, the order is reversed and the delay is longer.
 * The first session whose hello is answered wins, and the other is closed. If several endpoints have the same transport,
 * the next is tried when one has failed. When an endpoint refuses its ticket, the others, whose tickets are as old, get
 * only the policy's delay.
 * @param {ConnectDocument} doc
 * @param {RaceOptions} options
 * @returns {Promise<Winner>}
 */
export function race(doc, { transport, missing = '', hopeless = '', remembered = '', open, signal, timeoutMs = RACE_TIMEOUT_MS, patient = false, log = () => {} }) {
  const offered = (/** @type {Transport} */ t) => doc.doors.filter((endpoint) => endpoint.transport === t)
  const safe = transport === 'webtransport' ? [] : offered('websocket')
  let fast = transport === 'websocket' || missing ? [] : offered('webtransport')
  let reason = ''
  /** @type {Failure[]} */
  const failures = []
  if (transport === 'websocket') reason = 'asked for by the page'
  else if (missing) reason = missing
  else if (fast.length === 0) reason = 'the server offers no WebTransport'
  else if (hopeless && safe.length > 0) {
    failures.push({ transport: 'webtransport', url: fast[0].url, error: new Error(hopeless) }) // a plain Error, so that it is not final
    reason = hopeless
    fast = []
  }

  if (fast.length + safe.length === 0) {
    const what = transport === 'auto' ? `no endpoint is left: ${reason}` : `${transport} was asked for, but ${reason && transport === 'webtransport' ? reason : 'the server does not offer it'}`
    return Promise.reject(new ConnectError('no_transport', what, { final: transport !== 'auto' }))
  }

  const { race_delay_ms: delay } = doc.policy
  const reversed = remembered !== '' && fast.length > 0 && safe.length > 0
  if (reversed) reason = remembered
  const [first, second] = reversed ? [safe, fast] : [fast, safe]

  return new Promise((resolve, reject) => {
    const over = new AbortController()
    /** @type {Map<Endpoint, boolean>} the endpoints that are being tried, and whether they have opened */
    const running = new Map()
    let left = 0 // calls of run that have not ended
    let joined = false
    /** @type {ReturnType<typeof setTimeout>[]} */
    const timers = []

    const finish = () => {
      timers.forEach(clearTimeout)
      signal.removeEventListener('abort', abort)
      over.abort(new ConnectError('connect_failed', 'the other transport was faster'))
    }
    const abort = () => {
      finish()
      reject(signal.reason)
    }
    const giveUp = () => {
      finish()
      reject(lost(failures))
    }
    const stale = () => {
      if (!patient) timers.push(setTimeout(giveUp, delay))
      patient = true
    }

    /** @param {Endpoint[]} endpoints */
    const run = async (endpoints) => {
      left++
      for (const endpoint of endpoints) {
        const began = performance.now()
        running.set(endpoint, false)
        try {
          const session = await open(endpoint, over.signal, () => running.has(endpoint) && running.set(endpoint, true))
          if (over.signal.aborted) return session.close(0, 'the other transport was faster')
          log('door open', { transport: endpoint.transport, url: endpoint.url, ms: Math.round(performance.now() - began) })
          finish()
          const won = endpoint.transport === 'webtransport'
          return resolve({ session, transport: endpoint.transport, reason: won ? '' : reason, silent: !won && [...running.keys()].some((e) => e.transport === 'webtransport') })
        } catch (e) {
          if (over.signal.aborted) return
          const error = asError(e)
          log('door failed', { transport: endpoint.transport, url: endpoint.url, ms: Math.round(performance.now() - began), error: error.message })
          failures.push({ transport: endpoint.transport, url: endpoint.url, error })
          if (endpoint.transport === 'webtransport') reason = `WebTransport failed: ${error.message}`
          if (isStale(error)) stale()
        } finally {
          running.delete(endpoint)
        }
      }
      left--
      join()
      if (left === 0) giveUp()
    }

    const join = () => {
      if (joined || over.signal.aborted) return
      joined = true
      reason ||= `WebTransport did not answer within ${delay} ms (is UDP blocked?)`
      if (second.length > 0) run(second)
    }

    signal.addEventListener('abort', abort)
    if (signal.aborted) return abort()
    timers.push(
      setTimeout(() => {
        for (const [{ transport, url }, opened] of running) failures.push({ transport, url, error: new Error(late(opened, timeoutMs)) })
        giveUp()
      }, timeoutMs),
    )
    if (first.length === 0) return join()
    timers.push(setTimeout(join, reversed ? REVERSED_DELAYS * delay : delay))
    run(first)
  })
}

/**
 * @param {boolean} opened
 * @param {number} ms
 */
const late = (opened, ms) =>
  opened ? `it opened, but nothing came through it within ${ms} ms (is a proxy in between that lets nothing through?)` : `no answer within ${ms} ms`

/**
 * Makes the error for an attempt in which no endpoint opened. It is final only if every endpoint refused for good.
 * @param {Failure[]} failures
 */
function lost(failures) {
  /** @param {Error} e */
  const isFinal = (e) => 'final' in e && e.final === true && !isStale(e)
  const final = failures.length > 0 && failures.every((f) => isFinal(f.error))
  const told = failures.find((f) => isFinal(f.error)) ?? failures[failures.length - 1]
  /** @type {any} */
  const cause = told?.error
  const retryAfterMs = Math.max(0, ...failures.map((f) => /** @type {any} */ (f.error).retryAfterMs ?? 0))
  const message = failures.map((f) => `${f.transport}: ${f.error.message}`).join('; ')
  const kind = final ? (cause instanceof CloseError ? 'closed' : cause.kind) : 'connect_failed'
  return new ConnectError(kind, message, { cause, final, failures, code: cause?.code, retryAfterMs })
}
