import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { when } from '../app/lib/format.js'
import * as f from '../app/task/taskformat.js'

/** The table that ui/taskformat_test.go also reads. */
const table = JSON.parse(readFileSync(new URL('../../ui/testdata/tasks.json', import.meta.url), 'utf8'))
const now = Date.parse(table.now)

for (const { task: t, title, word, group, cancelable, retryable } of table.tasks) {
  test(`format: task ${t.name ?? t.id}`, () => {
    assert.deepEqual(
      { title: f.taskTitle(t), word: f.taskWord(t.state), group: f.taskGroup(t), cancelable: f.cancelable(t), retryable: f.retryable(t) },
      { title, word, group, cancelable, retryable },
    )
  })
}

test('format: what is still to come', () => {
  assert.equal(when('2026-03-04T14:30:02.4Z', now), 'in 3s')
  assert.equal(when('2026-03-04T14:29:00Z', now), '1m ago')
})
