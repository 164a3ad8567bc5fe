/** Describes the network path between this browser and the server. */
import { clock, count, roundTrip, span } from './format.js'

/** @import { Connection } from '../../client/index.js' */
/** @import { Mask, Transport } from '../../client/types.js' */
/** @import { Happening } from './trail.js' */

/** @type {Record<string, string>} */
export const CARRIERS = { webtransport: 'WebTransport', websocket: 'WebSocket' }

/** @param {string} text */
export function sentence(text) {
  if (!text) return 'No reason was given.'
  const s = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.?!)]$/.test(s) ? s : `${s}.`
}

/** The reason that the client gives for a transport that it was told to use. */
const ASKED = 'asked for by the page'

/** @typedef {{kind: 'good' | 'warn' | 'bad' | 'note', title: string, text: string}} Told */

/**
 * Describes an event of the connection.
 * @param {Pick<Happening, 'what' | 'detail'>} happening
 * @returns {Told}
 */
export function tell({ what, detail: d }) {
  const carrier = CARRIERS[d.transport] ?? String(d.transport ?? '')
  switch (what) {
    case 'open':
      return { kind: !d.reason ? 'good' : d.reason === ASKED ? 'note' : 'warn', title: `${carrier} is open.`, text: d.reason ? sentence(d.reason) : 'It answered first.' }
    case 'door failed':
      return { kind: 'bad', title: `${carrier} failed.`, text: `${sentence(d.error)} It took ${roundTrip(d.ms ?? 0)}.` }
    case 'attempt failed':
      return { kind: 'bad', title: 'An attempt failed.', text: sentence(d.error) }
    case 'silent':
      return { kind: 'bad', title: `${carrier} fell silent.`, text: 'Another session is being opened beside it.' }
    case 'speaks again':
      return { kind: 'good', title: `${carrier} speaks again.`, text: 'The session is kept.' }
    case 'session left':
      return { kind: 'note', title: `The session over ${carrier} was left.`, text: `Another session had opened: ${d.reason}.` }
    case 'session ended':
      return { kind: 'note', title: 'The session ended.', text: `${sentence(d.reason)} It lived for ${span(d.lived ?? 0)}.` }
    case 'closed':
      return { kind: 'note', title: 'The connection was given up.', text: sentence(d.reason) }
    case 'use':
      return d.transport === 'auto'
        ? { kind: 'note', title: 'Automatic.', text: 'The transport is chosen automatically again.' }
        : { kind: 'note', title: `${carrier} only.`, text: 'This tab was told to use no other transport.' }
    case 'online':
      return { kind: 'note', title: 'The network came back.', text: 'The browser says so.' }
    case 'back':
      return { kind: 'note', title: 'The page came back.', text: 'The browser had suspended it.' }
  }
  const text = Object.entries(d).map(([k, v]) => `${k} ${typeof v === 'object' ? JSON.stringify(v) : v}`)
  return { kind: 'note', title: sentence(what), text: text.join(', ') }
}

/**
 * @param {Mask | undefined} mask
 * @param {Transport | undefined} transport
 */
export function maskText(mask, transport) {
  if (transport === 'websocket') return 'None over WebSocket: TCP itself sends again what was lost, and everything behind it waits.'
  if (!mask) return 'Not known.'
  const repeated = count(mask.repeated, 'copy was', 'copies were')
  if (mask.on) return `On: each packet goes out ${mask.copies === 2 ? 'three times' : 'twice'}, ${roundTrip(mask.spacing_ms ?? 0)} apart. ${repeated} sent.`
  return `Off: ${mask.reason || 'no reason was given'}.${mask.repeated > 0 ? ` ${repeated} sent before.` : ''}`
}

/**
 * @typedef {object} Seen the facts that the findings are drawn from
 * @property {Connection} connection
 * @property {Happening[]} trail newest first
 * @property {'auto' | Transport} forced
 * @property {string} udp the port of the WebTransport endpoint, such as "UDP, port 4433"; '' where there is no such endpoint
 * @property {string} tcp
 * @property {boolean} able whether this browser has WebTransport
 * @property {string} host
 */

/** @typedef {{kind: 'good' | 'warn' | 'note', word: string, text: string}} Finding */

/**
 * Says what the network lets through and what an administrator can do about it.
 * @param {Seen} seen
 * @returns {Finding[]}
 */
export function findings(seen) {
  return [udp(seen), endpoint(seen), tcp(seen), ...advice(seen)]
}

/**
 * The last result of WebTransport: whether it opened, and when.
 * @param {Happening[]} trail
 * @returns {{time: number, error: string} | undefined} error is '' if it opened
 */
export function lastSign(trail) {
  for (const { time, what, detail } of trail) {
    if (what === 'open' && detail.transport === 'webtransport') return { time, error: '' }
    if (what === 'open' && /did not answer/.test(detail.reason ?? '')) return { time, error: detail.reason }
    if (what === 'door failed' && detail.transport === 'webtransport') return { time, error: detail.error || 'it failed' }
    if (what === 'attempt failed' && /webtransport:/.test(detail.error ?? '')) return { time, error: detail.error }
  }
  return undefined
}

/** @param {Seen} seen @returns {Finding} */
function udp({ connection: c, trail, able, udp: port }) {
  const word = 'UDP'
  if (c.transport === 'webtransport') return { kind: 'good', word, text: `It passes: a WebTransport session is open${c.since ? ` since ${clock(c.since.getTime())}` : ''}.` }
  if (!port) return { kind: 'note', word, text: 'Not tried: the server has no WebTransport endpoint for this page.' }
  if (!able) return { kind: 'note', word, text: 'Not tried: this browser offers no WebTransport to this page.' }
  const sign = lastSign(trail)
  if (!sign) return { kind: 'note', word, text: 'Not tried in this tab yet.' }
  const at = clock(sign.time)
  return sign.error ? { kind: 'warn', word, text: `It did not pass at ${at}: ${sentence(sign.error)}` } : { kind: 'good', word, text: `It passed when WebTransport was last tried, at ${at}.` }
}

/** @param {Seen} seen @returns {Finding} */
function endpoint({ connection: c, forced }) {
  const word = 'In use'
  if (!c.transport) return { kind: 'note', word, text: 'No session is open now.' }
  const carrier = CARRIERS[c.transport] ?? c.transport
  if (forced !== 'auto') return { kind: 'note', word, text: `${carrier}, since this tab was told to use no other.` }
  if (c.transport === 'webtransport') return { kind: 'good', word, text: `${carrier}, the first choice: a lost packet holds up one stream, not the others.` }
  return { kind: 'warn', word, text: `${carrier}, the second choice: ${sentence(c.reason)}` }
}

/** @param {Seen} seen @returns {Finding} */
function tcp({ connection: c, tcp: port }) {
  const word = 'TCP'
  if (c.transport === 'websocket') return { kind: 'good', word, text: 'It passes: the session is on it.' }
  return { kind: 'note', word, text: `The fallback when UDP is blocked (${port}). It is not needed now.` }
}

/** @param {Seen} seen @returns {Finding[]} */
function advice({ connection: c, trail, able, udp: port, host, forced }) {
  const word = 'To do'
  if (c.transport === 'webtransport') return []
  if (!port) return [{ kind: 'note', word, text: 'Start the server with --listen for this machine to have WebTransport. A proxy in front of the server does not forward it: let browsers connect past the proxy, with --allow-origin.' }]
  if (!able) return [{ kind: 'note', word, text: 'Open the page on https:// or on localhost, with a browser that has WebTransport.' }]
  const sign = lastSign(trail)
  if (!sign?.error) return forced === 'websocket' ? [{ kind: 'note', word, text: 'Choose Auto to have WebTransport tried.' }] : []
  return [
    {
      kind: 'note',
      word,
      text: /did not answer|no answer/.test(sign.error)
        ? `Let ${port} of ${host} through, both ways. A firewall, a VPN or a proxy that passes TCP only is the usual cause.`
        : `Check that ${port} leads to the server ${host}, and that the browser accepts its certificate. A closed port and a proxy in between fail like this, too.`,
    },
  ]
}
