import assert from 'node:assert/strict'
import test from 'node:test'
import { Lines, linePieces } from '../app/agent/lines.js'

/** @import { AgentEvent, AgentEventData, AgentEventType } from '../client/types.js' */

let seq = 0

/**
 * @param {AgentEventType} type
 * @param {AgentEventData} data
 * @returns {AgentEvent}
 */
const event = (type, data) => ({ seq: ++seq, time: '2026-03-04T14:30:00Z', type, subject: 'a1', data })
const out = (/** @type {string} */ text) => event('output.stdout', { text })
const err = (/** @type {string} */ text) => event('output.stderr', { text })
const input = (/** @type {string} */ text) => event('input', { text })

/** @param {AgentEvent[]} events */
function texts(...events) {
  const lines = new Lines()
  for (const e of events) lines.add(e)
  return lines.take().map((l) => `${l.kind}:${linePieces(l).map((p) => p.text).join('')}${l.open ? '…' : ''}`)
}

/** The cases of TestLines in ui/page_test.go. */
const cases = /** @type {[string, AgentEvent[], string[]][]} */ ([
  ['whole lines', [out('a\nb\n')], ['out:a', 'out:b']],
  ['pieces of a line', [out('a'), out('b'), out('c\n')], ['out:abc']],
  ['the last goes on', [out('a\nb')], ['out:a', 'out:b…']],
  ['two streams, each its own line', [out('a'), err('x'), out('b\n'), err('y\n')], ['out:ab', 'err:xy']],
  ['empty lines', [out('\n\na\n')], ['out:', 'out:', 'out:a']],
  ['carriage returns', [out('10%\r50%\r'), out('100%\r\n')], ['out:100%']],
  ['a progress bar without an end', Array.from({ length: 400 }, (_, i) => out(`\x1b[2K\x1b[1G[\x1b[32m${'#'.repeat(60)}\x1b[0m] ${i + 1}`)), [`out:[${'#'.repeat(60)}] 400…`]],
  ['a sequence in two events', [out('old\x1b[2'), out('K\x1b[1'), out('Gnew\n')], ['out:new']],
  ['a spinner', [out('|'), out('\b/'), out('\b-'), out('\b\\\n')], ['out:\\']],
  ['input', [input('yes\nno\n'), input('')], ['in:yes', 'in:no', 'in:end of input']],
  ['binary ends a line', [out('a'), event('output.stdout', { base64: '/wA=' }), out('b\n')], ['out:a', 'bin:Binary, 2 B · ff 00', 'out:b']],
  ['the end', [out('a'), event('agent.exited', { reason: 'completed' })], ['out:a', 'mark:Completed']],
])
for (const [name, events, want] of cases) test(`lines: ${name}`, () => assert.deepEqual(texts(...events), want))

test('lines: what the log dropped is noted where it is missing', () => {
  const dropped = { events: 12, bytes: 3 << 20, from: '2026-03-04T13:30:00', to: '2026-03-04T14:29:00' }
  assert.deepEqual(texts(out('half '), { ...out('a line\n'), dropped }, out('b\n')), [
    'out:half ', 'gap:3 MiB from 13:30:00 to 14:29:00 are no longer there: the log was full.', 'out:a line', 'out:b',
  ])
})

test('lines: an endless line is split, but no character is', () => {
  const got = texts(out('x'.repeat(8191) + '🪿' + 'y'.repeat(10) + '\n'))
  assert.deepEqual(got, ['out:' + 'x'.repeat(8191), 'out:🪿' + 'y'.repeat(10)])
})

test('lines: a style continues over lines and events', () => {
  const lines = new Lines()
  lines.add(out('\x1b[31mred\nstill\x1b[1m'))
  lines.add(out(' bold\n'))
  assert.deepEqual(lines.take().map(linePieces), [
    [{ class: 'f1', text: 'red' }],
    [{ class: 'f1', text: 'still' }, { class: 'a-b f1', text: ' bold' }],
  ])
})

test('lines: a line that grows is returned again', () => {
  const lines = new Lines()
  lines.add(out('a'))
  const [first] = lines.take()
  lines.add(out('b\nc'))
  const [again, next] = lines.take()
  assert.equal(again, first)
  assert.equal(again?.text, 'ab')
  assert.equal(next?.text, 'c')
})

test('lines: a progress bar that the server rendered goes on', () => {
  const lines = new Lines()
  lines.resume([{ seq: 1, time: '', kind: 'out', text: '50% of it\x1b[1G', start: '', open: true }], {})
  lines.add(out('60%'))
  lines.add(out('\x1b[K\n'))
  assert.deepEqual(lines.take().map(linePieces), [[{ class: '', text: '60%' }]])
})

test('lines: what the server rendered goes on', () => {
  const lines = new Lines()
  lines.resume([{ seq: 1, time: '', kind: 'out', text: 'half ', start: 'f1', open: true }], { out: '', err: 'f3' })
  lines.add(out('a line\n'))
  lines.add(err('warning\n'))
  assert.deepEqual(lines.take().map(linePieces), [[{ class: 'f1', text: 'half a line' }], [{ class: 'f3', text: 'warning' }]])
})
