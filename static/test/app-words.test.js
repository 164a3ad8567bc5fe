import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { NEEDS_YOU, stateWord } from '../app/lib/format.js'
import { taskSummary, taskWord } from '../app/task/taskformat.js'

/** The table that ui/format_test.go also reads, so that each state has one name everywhere. */
const table = JSON.parse(readFileSync(new URL('../../ui/testdata/words.json', import.meta.url), 'utf8'))

/** @type {[name: string, word: (state: string) => string][]} */
const rules = [
  ['agent', stateWord], ['task', taskWord],
]
for (const [name, word] of rules) {
  test(`words: ${name}`, () => {
    for (const [state, want] of Object.entries(table[name])) assert.equal(word(state), want)
  })
}

test('words: the state of waiting for a person has one name', () => {
  assert.equal(table.activity.requires_action, NEEDS_YOU)
  assert.equal(table.task.input_required, NEEDS_YOU)
})

test('words: the summary of the tasks', () => {
  for (const [counts, want] of table.summary) assert.equal(taskSummary(counts), want)
})
