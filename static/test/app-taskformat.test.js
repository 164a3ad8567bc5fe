import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { admissionText, admissionWho } from '../app/lib/admission.js'
import { when } from '../app/lib/format.js'
import { plain, pretty } from '../app/lib/text.js'
import * as f from '../app/task/taskformat.js'

/** The table that ui/taskformat_test.go reads too. */
const table = JSON.parse(readFileSync(new URL('../../ui/testdata/tasks.json', import.meta.url), 'utf8'))
const now = Date.parse(table.now)

for (const c of table.tasks) {
  test(`format: task ${c.task.name ?? c.task.id}`, () => {
    const t = c.task
    const { task, ...want } = c
    assert.deepEqual(
      {
        title: f.taskTitle(t), word: f.taskWord(t.state), glyph: f.taskGlyph(t.state), group: f.taskGroup(t), doer: f.doer(t), attempts: f.attempts(t),
        age: f.taskAge(t, now), text: f.taskText(t, now), done: f.done(t), cancelable: f.cancelable(t), retryable: f.retryable(t),
        kind: f.bannerKind(t), banner: f.bannerText(t, now), more: f.bannerMore(t), part: f.partOf(t),
        moments: f.moments(t).map((m) => [m.glyph, m.title, m.blame, m.detail, m.name, m.later]),
      },
      want,
    )
  })
}

/** @type {[name: string, format: (value: any) => string][]} */
const rules = [
  ['pretty', (s) => pretty(s).text], ['plain', plain], ['sentence', f.sentence], ['ordinal', f.ordinal],
  ['results', ({ result, ...r }) => f.resultText({ ...r, output: result })],
]
for (const [name, format] of rules) {
  test(`format: ${name}`, () => {
    for (const [value, want] of table[name]) assert.equal(format(value), want, `${name} of ${JSON.stringify(value)}`)
  })
}

test('format: admission', () => {
  for (const [a, text, who] of table.admission) {
    assert.equal(admissionText(a), text)
    assert.equal(admissionWho(a, now), who)
  }
  assert.equal(admissionText(undefined), '')
})

test('format: the keys of moments tell them apart', () => {
  for (const { task } of table.tasks) {
    const keys = f.moments(task).map((m) => m.key)
    assert.equal(new Set(keys).size, keys.length, String(keys))
  }
})

test('format: moments that are still to come', () => {
  assert.equal(when('2026-03-04T14:30:02.4Z', now), 'in 3s')
  assert.equal(when('2026-03-04T14:29:00Z', now), '1m ago')
})

test('format: sizes of payloads', () => {
  for (const [p, size] of /** @type {const} */ ([
    [undefined, 0], [{}, 0], [{ text: 'ä' }, 2], [{ base64: 'AA==' }, 1], [{ base64: 'AAA=' }, 2], [{ base64: 'AAAA' }, 3], [{ text: 'x', size: 9 }, 9],
  ])) assert.equal(f.payloadSize(p), size)
})

test('format: a long result is cut where the server cuts it', () => {
  const text = 'ä'.repeat(600)
  assert.equal(f.resultText({ state: 'completed', output: { text } }), `${'ä'.repeat(512)}…`)
  assert.equal(f.resultText({ state: 'completed', output: { text: 'x'.repeat(1024) } }), 'x'.repeat(1024))
})

test('format: pretty is fast on a long list', () => {
  const text = JSON.stringify(Array.from({ length: 40_000 }, (_, i) => ({ i })))
  assert.deepEqual(JSON.parse(pretty(text).text), JSON.parse(text))
})
