import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findings, lastSign, maskText, tell } from '../app/lib/pathwords.js'

const BLOCKED = 'WebTransport did not answer within 500 ms (is UDP blocked?)'

/**
 * @param {string} what
 * @param {Record<string, any>} detail
 */
const at = (what, detail, time = 0) => ({ time, page: '/', what, detail })

/** @param {Partial<import('../app/lib/pathwords.js').Seen>} seen */
const say = (seen) =>
  findings({ connection: { reason: '' }, trail: [], forced: 'auto', udp: 'UDP, port 4433', tcp: 'TCP, port 4480', able: true, host: 'kiln', ...seen }).map((f) => `${f.word} ${f.kind}: ${f.text}`)

/** @param {string[]} said @param {string} word @param {RegExp} pattern */
const says = (said, word, pattern) => assert.match(said.find((s) => s.startsWith(word)) ?? 'nothing', pattern)

test('what the network allows', () => {
  const open = say({ connection: { transport: 'webtransport', reason: '', since: new Date() } })
  says(open, 'UDP', /good: It passes: a WebTransport session is open since \d\d:\d\d:\d\d\./)
  says(open, 'In use', /good: WebTransport, the first choice/)
  assert.ok(!open.some((s) => s.startsWith('To do')), 'there is nothing to do')

  const blocked = say({ connection: { transport: 'websocket', reason: BLOCKED }, trail: [at('open', { transport: 'websocket', reason: BLOCKED })] })
  says(blocked, 'UDP', /warn: It did not pass at .*500 ms/)
  says(blocked, 'In use', /warn: WebSocket, the second choice: WebTransport did not answer/)
  says(blocked, 'TCP', /good/)
  says(blocked, 'To do', /Let UDP, port 4433 of kiln through/)

  const refused = say({ connection: { transport: 'websocket', reason: 'x' }, trail: [at('door failed', { transport: 'webtransport', error: 'Opening handshake failed.', ms: 12 })] })
  says(refused, 'To do', /leads to the server kiln, and that the browser accepts its certificate/)

  const kept = say({ connection: { transport: 'websocket', reason: 'asked for by the page' }, forced: 'websocket', trail: [at('open', { transport: 'webtransport', reason: '' })] })
  says(kept, 'UDP', /good: It passed when WebTransport was last tried/)
  says(kept, 'In use', /note: WebSocket, since this tab was told to use no other/)
  says(kept, 'To do', /Choose Auto/)

  says(say({ udp: '' }), 'UDP', /the server has no WebTransport endpoint/)
  says(say({ udp: '' }), 'To do', /--listen .* --allow-origin/)
  says(say({ able: false }), 'To do', /https:/)
  says(say({}), 'UDP', /Not tried in this tab yet/)
})

test('a remembered reason is a reason', () => {
  const why = `${BLOCKED}, remembered from 3 min ago`
  const said = say({ connection: { transport: 'websocket', reason: why }, trail: [at('open', { transport: 'websocket', reason: why })] })
  says(said, 'UDP', /warn: It did not pass at .*remembered from 3 min ago\./)
  says(said, 'To do', /Let UDP, port 4433 of kiln through/)
})

test('a session that fell silent, in words', () => {
  assert.match(tell(at('silent', { transport: 'webtransport' })).title, /^WebTransport fell silent\.$/)
  assert.match(tell(at('speaks again', { transport: 'websocket' })).title, /^WebSocket speaks again\.$/)
  assert.match(tell(at('session left', { transport: 'webtransport', reason: 'it fell silent' })).text, /it fell silent\.$/)
})

test('the newest sign of WebTransport counts', () => {
  const good = at('open', { transport: 'webtransport', reason: '' }, 2)
  const bad = at('door failed', { transport: 'webtransport', error: 'refused' }, 1)
  const other = at('open', { transport: 'websocket', reason: 'asked for by the page' }, 3)
  assert.deepEqual(lastSign([other, good, bad]), { time: 2, error: '' })
  assert.deepEqual(lastSign([bad, good]), { time: 1, error: 'refused' })
  assert.equal(lastSign([other]), undefined)
})

test('every event has words, even one of a later version', () => {
  assert.deepEqual(tell({ what: 'door failed', detail: { transport: 'webtransport', error: 'Opening handshake failed.', ms: 31 } }), {
    kind: 'bad',
    title: 'WebTransport failed.',
    text: 'Opening handshake failed. It took 31 ms.',
  })
  assert.equal(tell({ what: 'open', detail: { transport: 'websocket', reason: BLOCKED } }).kind, 'warn')
  assert.equal(tell({ what: 'use', detail: { transport: 'websocket' } }).title, 'WebSocket only.')
  assert.deepEqual(tell({ what: 'upgrade tried', detail: { after: 3, to: { a: 1 } } }), { kind: 'note', title: 'Upgrade tried.', text: 'after 3, to {"a":1}' })
})

test('masking in words', () => {
  assert.equal(maskText({ on: true, copies: 1, spacing_ms: 3.2, repeated: 1 }, 'webtransport'), 'On: each packet goes out twice, 3.2 ms apart. 1 copy was sent.')
  assert.match(maskText({ on: true, copies: 2, spacing_ms: 25, repeated: 80 }, 'webtransport'), /three times, 25 ms apart\. 80 copies were sent/)
  assert.equal(maskText({ on: false, repeated: 0, reason: 'no loss was seen' }, 'webtransport'), 'Off: no loss was seen.')
  assert.match(maskText({ on: false, repeated: 5, reason: 'a queue is building up' }, 'webtransport'), /^Off: a queue is building up\. 5 copies were sent before\.$/)
  assert.match(maskText(undefined, 'websocket'), /^None over WebSocket/)
})
