import { SkeinError } from '../../client/index.js'
import { mark, one, write } from './dom.js'
import { NONE, clock, roundTrip } from './format.js'
import { CARRIERS, sentence } from './pathwords.js'

/** @import { Skein } from '../../client/index.js' */

/** How many round-trip times the small curve shows. */
const MAX_TRIPS = 60

/** How long the page may be without a connection before it says that it is not live, in milliseconds. */
const STALE_MS = 2500

/**
 * Runs the badge at the top, the details that it opens, and the line that says that the page is not live.
 * @param {Skein} skein
 */
export function connection(skein) {
  const badge = one(document, '.conn')
  const details = one(document, '#conn-details')
  const part = (/** @type {ParentNode} */ root, /** @type {string} */ name) => one(root, `[data-c="${name}"]`)
  /** @type {number[]} */
  const trips = []
  let announced = ''

  const show = () => {
    const { state, connection: c } = skein
    const carrier = state === 'open' && c.transport ? CARRIERS[c.transport] : ''
    const fallback = carrier === CARRIERS.websocket
    const rtt = carrier === '' || c.rtt === undefined ? '' : roundTrip(c.rtt)
    mark(badge, 'data-state', state)
    mark(badge, 'data-fallback', fallback)
    write(part(badge, 'word'), carrier || word(state))
    write(part(badge, 'rtt'), rtt)
    write(part(details, 'lead'), lead(state, fallback, skein.lastError))
    write(part(details, 'transport'), carrier || NONE)
    part(details, 'why-row').hidden = !fallback
    write(part(details, 'why'), fallback ? sentence(c.reason) : '')
    write(part(details, 'rtt-long'), rtt || NONE)
    write(part(details, 'since'), carrier && c.since ? `since ${clock(c.since.getTime())}` : NONE)
    write(part(details, 'session'), c.session || NONE)
    if (c.node) write(part(details, 'node'), c.node)
    if (c.server) write(part(details, 'server'), c.server)
    const now = `Connection: ${carrier || word(state)}`
    if (now !== announced) write(part(details, 'announce'), (announced = now))
  }

  skein.addEventListener('statechange', show)
  skein.addEventListener('connectionchange', show)
  skein.addEventListener('rtt', () => {
    const rtt = skein.connection.rtt
    if (rtt === undefined) return
    if (trips.push(rtt) > MAX_TRIPS) trips.shift()
    mark(one(part(details, 'spark'), 'polyline'), 'points', curve(trips))
    show()
  })
  staleLine(skein)
  show()
}

/** @param {Skein} skein */
function staleLine(skein) {
  const line = one(document, '#stale')
  const reload = one(line, 'button')
  let live = Date.now() // when the page was last up to date
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  const say = () => {
    const { state, lastError: error } = skein
    const told = state === 'closed' ? sentence(error?.message ?? 'The connection has ended') : elsewhere(error) ? sentence(error.message) : 'The server does not answer; trying again.'
    write(one(line, 'span'), `${told} This is how it was at ${clock(live)}.`)
    reload.hidden = skein.state !== 'closed'
    line.hidden = false
  }
  let open = false
  const changed = () => {
    if (skein.state === 'open') {
      clearTimeout(timer)
      timer = undefined
      open = true
      line.hidden = true
      return
    }
    if (open) live = Date.now()
    open = false
    if (skein.state === 'closed' || !line.hidden) say()
    else timer ??= setTimeout(say, STALE_MS)
  }
  skein.addEventListener('statechange', changed)
  void skein.closed.catch(() => {}).then(changed)
  reload.addEventListener('click', () => location.reload())
  changed()
}

/** @param {string} state */
const word = (state) => (state === 'closed' ? 'Offline' : state === 'reconnecting' ? 'Reconnecting' : 'Connecting')

/**
 * @param {string} state
 * @param {boolean} fallback
 * @param {Error} [error]
 */
function lead(state, fallback, error) {
  if (state === 'open' && fallback) return 'Everything works. WebTransport would be steadier on a bad network.'
  if (state === 'open') return 'Live over HTTP/3. A lost packet holds up one stream, not the others.'
  if (state === 'closed') return error ? sentence(error.message) : 'The connection has ended. Load the page again to connect.'
  const last = error ? ` The last attempt: ${sentence(error.message)}` : ''
  if (state === 'reconnecting') return `The connection broke and is being made again. Nothing is lost meanwhile.${last}`
  return `The page has loaded; the live connection is being made.${last}`
}

/**
 * Whether something other than the server answers, which a person can do something about.
 * @param {Error | undefined} error
 * @returns {error is SkeinError}
 */
const elsewhere = (error) => error instanceof SkeinError && error.kind === 'not_skein'

/** @param {number[]} values as points in a box of 120 by 24 */
function curve(values) {
  const top = Math.max(...values, 1e-6)
  return values.map((v, i) => `${((i / (MAX_TRIPS - 1)) * 120).toFixed(1)},${(23 - (v / top) * 21).toFixed(1)}`).join(' ')
}
