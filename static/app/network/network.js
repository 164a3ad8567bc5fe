/** The page of this browser's connection: its figures, once a second while the page is visible, and its history. */
import { clone, field, mark, one, write } from '../lib/dom.js'
import { choices, force, forced } from '../lib/forced.js'
import { NONE, bytes, clock, roundTrip } from '../lib/format.js'
import { listen } from '../lib/keys.js'
import { leaving } from '../lib/later.js'
import { page } from '../lib/page.js'
import { CARRIERS, findings, maskText, sentence, tell } from '../lib/pathwords.js'
import { trail } from '../lib/trail.js'
import { Curve } from './curve.js'

/** @import { Network } from '../../client/types.js' */
/** @import { Choice } from '../lib/forced.js' */

const LOOK_MS = 1000

const skein = page()
const ends = leaving()
const path = one(document, '#path')

/**
 * A figure of the session: its value, a note, and a curve.
 * @param {string} name
 * @param {number} least the smallest value of the curve's top edge
 */
function figure(name, least) {
  const el = one(document, `[data-figure="${name}"]`)
  const curve = new Curve(field(el, 'curve'), least)
  return (/** @type {number} */ second, /** @type {string} */ value, /** @type {string} */ note, /** @type {number | null} */ point) => {
    write(field(el, 'value'), value)
    write(field(el, 'note'), note)
    curve.add(second, point)
  }
}

const figures = {
  rtt: figure('rtt', 1),
  loss: figure('loss', 2),
  window: figure('window', 1),
  down: figure('down', 1024),
  up: figure('up', 1024),
  packets: figure('packets', 10),
}

/** @param {number} n bytes a second */
const pace = (n) => `${bytes(Math.round(n))}/s`

/** The previous sample, of the same session. @type {{at: number, session?: string, n: Network} | undefined} */
let last

/** @param {Network} n */
function show(n) {
  const { connection: c } = skein
  const at = performance.now()
  const before = last?.session === c.session ? last : undefined
  last = { at, session: c.session, n }
  const seconds = before ? Math.max((at - before.at) / 1000, 0.001) : 0
  /** By how much something grew, a second. @param {(n: Network) => number | undefined} of */
  const more = (of) => (before ? Math.max(0, (of(n) ?? 0) - (of(before.n) ?? 0)) / seconds : null)
  const second = at / 1000
  const quic = n.transport === 'webtransport'

  const rtt = n.rtt_ms || c.rtt
  const rttNote = !n.rtt_ms ? 'measured by this page' : n.min_rtt_ms ? `at least ${roundTrip(n.min_rtt_ms)}` : 'measured by the server'
  figures.rtt(second, rtt ? roundTrip(rtt) : NONE, rtt ? rttNote : '', rtt ?? null)

  const lost = n.packets_lost ?? 0
  const sent = n.packets_sent ?? 0
  const hidden = 'not known over TCP'
  figures.loss(second, quic ? `${sent > 0 ? Number(((100 * lost) / sent).toFixed(2)) : 0}%` : NONE, quic ? `${lost} of ${sent} sent to this page` : hidden, quic ? more((v) => v.packets_lost) : null)
  figures.window(second, quic ? bytes(n.congestion_window ?? 0) : NONE, quic ? 'the server may have in flight' : hidden, quic ? (n.congestion_window ?? 0) : null)

  const down = more((v) => v.bytes_sent)
  const up = more((v) => v.bytes_received)
  figures.down(second, down === null ? NONE : pace(down), `${bytes(n.bytes_sent)} in all`, down)
  figures.up(second, up === null ? NONE : pace(up), `${bytes(n.bytes_received)} in all`, up)

  const packets = more((v) => (v.packets_sent ?? 0) + (v.packets_received ?? 0))
  figures.packets(second, !quic || packets === null ? NONE : `${Math.round(packets)}/s`, quic ? `${sent} to this page, ${n.packets_received ?? 0} from it` : hidden, quic ? packets : null)

  write(field(path, 'mask'), maskText(n.mask, n.transport))
  if (n.remote) write(field(path, 'remote'), n.remote)
  for (const l of n.lanes) {
    const el = document.querySelector(`[data-lane="${CSS.escape(l.lane)}"]`)
    if (!el) continue // a lane of a later version
    const was = before?.n.lanes.find((b) => b.lane === l.lane)
    const moved = (/** @type {'bytes_in' | 'bytes_out'} */ of) => {
      const now = was && l[of] > was[of] ? ` · ${pace((l[of] - was[of]) / seconds)}` : ''
      return l[of] > 0 ? bytes(l[of]) + now : NONE
    }
    mark(el, 'data-open', l.streams > 0)
    write(field(el, 'streams'), l.streams > 0 ? String(l.streams) : NONE)
    write(field(el, 'in'), moved('bytes_in'))
    write(field(el, 'out'), moved('bytes_out'))
    const waited = (l.waited_in_ms ?? 0) + (l.waited_out_ms ?? 0)
    write(field(el, 'waited'), waited > 0 ? waitText(waited) : NONE)
    if (l.max_writers) write(field(el, 'writers'), `${l.writers ?? 0} of ${l.max_writers}`)
  }
}

/** @param {number} ms */
const waitText = (ms) => (ms < 1000 ? roundTrip(ms) : `${(ms / 1000).toFixed(1)} s`)

const endpoint = (/** @type {string} */ transport) => document.querySelector(`.path-endpoint[data-transport="${transport}"]`)

/** Shows what the network allows, and the path that was taken. */
function conclude() {
  const { connection: c, state } = skein
  const carrier = c.transport ? (CARRIERS[c.transport] ?? c.transport) : ''
  write(one(document, '#summary'), carrier ? `${carrier} to ${c.node}${c.since ? `, since ${clock(c.since.getTime())}` : ''}` : state === 'closed' ? 'Not connected.' : 'Connecting…')
  write(field(path, 'transport'), carrier || NONE)
  write(field(path, 'why'), !carrier ? NONE : c.reason ? sentence(c.reason) : 'It answered first.')
  for (const el of document.querySelectorAll('.path-endpoint')) mark(el, 'data-taken', el.getAttribute('data-transport') === (c.transport ?? ''))
  const all = findings({
    connection: c,
    trail: trail.all,
    forced: forced(),
    udp: endpoint('webtransport')?.getAttribute('data-over') ?? '',
    tcp: endpoint('websocket')?.getAttribute('data-over') ?? '',
    able: 'WebTransport' in globalThis,
    host: location.hostname,
  })
  const list = one(document, '#findings')
  while (list.children.length > all.length) list.lastElementChild?.remove()
  all.forEach(({ kind, word, text }, i) => {
    if (!list.children[i]) list.append(clone('finding'))
    const el = /** @type {HTMLElement} */ (list.children[i])
    mark(el, 'data-kind', kind)
    write(field(el, 'word'), word)
    write(field(el, 'text'), text)
  })
}

/** Shows the history, newest first. */
function recall() {
  const all = trail.all
  one(document, '#no-trail').hidden = all.length > 0
  one(document, '#trail').replaceChildren(
    ...all.map((h) => {
      const el = clone('trail-item')
      const { kind, title, text } = tell(h)
      mark(el, 'data-kind', kind)
      const time = /** @type {HTMLTimeElement} */ (field(el, 'time'))
      time.dateTime = new Date(h.time).toISOString()
      write(time, clock(h.time))
      write(field(el, 'title'), title)
      write(field(el, 'text'), text)
      write(field(el, 'page'), h.page)
      return el
    }),
  )
  conclude()
}

const buttons = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll('[data-use]')])
function showUse() {
  for (const b of buttons) mark(b, 'aria-pressed', String(b.dataset.use === forced()))
  conclude()
}
for (const b of buttons) {
  b.disabled = false
  b.addEventListener('click', () => force(skein, /** @type {Choice} */ (b.dataset.use)))
}
choices.addEventListener('change', showUse)
trail.addEventListener('change', recall)
skein.addEventListener('statechange', conclude)
skein.addEventListener('connectionchange', conclude)
recall()
showUse()

let wake = () => {}
async function follow() {
  for (;;) {
    if (document.visibilityState === 'visible' && skein.state === 'open') {
      try {
        show(await skein.network({ signal: ends }))
      } catch {
        if (ends.aborted) return
      }
    }
    await new Promise((next) => {
      wake = () => next(undefined)
      setTimeout(wake, LOOK_MS)
    })
  }
}
void skein.ready.then(follow, () => {})
document.addEventListener('visibilitychange', () => wake())
skein.addEventListener('connectionchange', () => wake())

listen({})
