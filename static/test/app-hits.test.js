import assert from 'node:assert/strict'
import test from 'node:test'
import { around, lineOf } from '../app/agent/around.js'
import { Hits, hitsText } from '../app/agent/hits.js'

/** @param {number[]} seqs */
const matches = (...seqs) => seqs.map((seq) => ({ seq, time: '', type: /** @type {const} */ ('output.stdout'), line: '', offset: 0, column: 1, from: 0, to: 1 }))

/**
 * A log with a given number of hits in each event. It answers when the test says so.
 * @param {Record<number, number>} log
 * @param {number} [keep]
 */
function setUp(log, keep) {
  /** @type {{after: number, offset: number, before?: number}[]} */
  const asked = []
  /** @type {(() => void)[]} */
  const waits = []
  let cancelled = 0
  const state = { last: Math.max(0, ...Object.keys(log).map(Number)), broken: false, dropped: false }
  const ends = async () => ({ first: Math.min(...Object.keys(log).map(Number)), last: state.last })
  /** @type {import('../app/agent/hits.js').Log['search']} */
  const search = async (text, { limit, signal, ...options }) => {
    asked.push(options)
    await new Promise((resolve) => waits.push(() => resolve(undefined)))
    if (signal.aborted) cancelled++
    if (state.broken) throw new Error('offline')
    const found = { matches: matches(), cursor: options.after, offset: 0, more: false, scanned: 0, ...(state.dropped && { dropped: { events: 1, bytes: 1, from: '', to: '' } }) }
    for (const [seq, n] of Object.entries(log).map(([seq, n]) => /** @type {const} */ ([Number(seq), n]))) {
      if (seq <= options.after || seq >= (options.before ?? Infinity) || text === 'nothing') continue
      if (found.matches.length >= limit) return { ...found, more: true }
      found.matches.push(...matches(...Array(n).fill(seq)))
      found.cursor = seq
    }
    return found
  }
  const hits = new Hits({ ends, search }, () => {}, keep)
  const settled = () => new Promise(setImmediate)
  /** Answers the pending request. */
  const answer = async () => {
    await settled()
    for (const go of waits.splice(0)) go()
    await settled()
  }
  return { hits, asked, state, log, answer, cancelled: () => cancelled }
}

test('hits: the log is searched from its end back, and "No match" means all of it', async () => {
  const { hits, asked, state, answer } = setUp({ 17: 1, 9000: 1, 9999: 0 })
  for (const [text, said] of /** @type {const} */ ([['needle', ['Searching…', '1+', '2']], ['nothing', ['Searching…', 'Searching…', 'No match']]])) {
    asked.length = 0
    hits.start(text)
    assert.equal(hitsText(hits), said[0])
    await answer()
    assert.equal(hitsText(hits), said[1])
    await answer()
    assert.equal(hitsText(hits), said[2])
    assert.deepEqual(asked, [{ after: 7999, offset: 0, before: 10000 }, { after: 16, offset: 0, before: 8000 }])
  }
  hits.start('needle')
  await answer()
  const newest = hits.newest
  assert.equal(hitsText(hits, newest), '1 of 1+')
  await answer()
  assert.equal(hitsText(hits, newest), '2 of 2', 'a number stays when older ones are found')
  state.dropped = true
  hits.start('nothing')
  await answer()
  await answer()
  assert.equal(hitsText(hits), 'No match in the rest of the log')
  hits.start('')
  assert.equal(hitsText(hits), '')
})

test('hits: a log without output has no match', async () => {
  const { hits, answer } = setUp({})
  hits.start('needle')
  await answer()
  assert.equal(hitsText(hits), 'No match')
})

test('hits: many hits come in pages', async () => {
  const { hits, asked, answer } = setUp({ 1: 400, 2: 400, 3: 400, 4: 50 })
  hits.start('e')
  await answer()
  assert.equal(hitsText(hits), 'Searching…')
  await answer()
  assert.equal(hitsText(hits, hits.newest), '1250 of 1250')
  assert.deepEqual(asked.map((a) => [a.after, a.before]), [[0, 5], [2, 5]])
})

test('hits: an answer to an earlier query is ignored', async () => {
  const { hits, answer, cancelled } = setUp({ 1: 1, 2: 3 })
  hits.start('n')
  await new Promise(setImmediate)
  hits.start('nothing')
  await answer()
  assert.equal(hitsText(hits), 'No match')
  assert.equal(cancelled(), 1)
})

test('hits: what is printed later is found from where the search ended', async () => {
  const { hits, asked, log, answer } = setUp({ 5: 1 })
  hits.start('needle')
  await new Promise(setImmediate)
  hits.more() // the answer may lack it
  await answer()
  assert.deepEqual(asked.map((a) => a.after), [4, 5])
  await answer()
  Object.assign(log, { 12: 2 })
  hits.more()
  await answer()
  assert.deepEqual(asked.map((a) => a.after), [4, 5, 5])
  assert.equal(hitsText(hits, hits.oldest), '1 of 3')
  hits.more() // there is nothing new: known hits are not counted again
  await answer()
  assert.deepEqual(asked.map((a) => a.after), [4, 5, 5, 12])
  assert.equal(hitsText(hits, hits.oldest), '1 of 3')
})

test('hits: a search that failed says so, and is tried again', async () => {
  const { hits, state, answer } = setUp({ 17: 1, 9000: 1 })
  hits.start('needle')
  await answer()
  state.broken = true
  await answer()
  assert.equal(hitsText(hits, hits.newest), '1 of 1+, then it failed')
  state.broken = false
  hits.more()
  await answer() // the hits that came since
  await answer()
  assert.equal(hitsText(hits, hits.newest), '2 of 2')
  state.broken = true
  hits.start('needle')
  await answer()
  assert.equal(hitsText(hits), 'The search failed')
})

test('hits: of too many, the newest are kept', async () => {
  const { hits, log, asked, answer } = setUp({ 1: 1, 7000: 1, 7001: 1, 7002: 1 }, 3)
  hits.start('e')
  await answer()
  await answer()
  assert.equal(asked.length, 1, 'it goes on with enough of them')
  const { oldest, newest } = hits
  assert.equal(hitsText(hits, newest), '3 of 3+')
  assert.deepEqual([hits.step(newest, 1), hits.step(oldest, -1), hits.step(undefined, 1), hits.step(undefined, -1)], [oldest, newest, oldest, newest])
  Object.assign(log, { 7003: 1 })
  hits.more()
  await answer()
  assert.equal(hitsText(hits, newest), '2 of 3+')
  assert.deepEqual([hits.at(oldest), hits.at(newest + 1)], [undefined, { seq: 7003, back: 0 }])
})

test('hits: hits of one event are distinct', async () => {
  const { hits, answer } = setUp({ 3: 3, 4: 1, 7: 1 })
  hits.start('e')
  await answer()
  const { oldest } = hits
  assert.deepEqual([0, 1, 2, 3, 4].map((i) => hits.at(oldest + i)), [
    { seq: 3, back: 2 }, { seq: 3, back: 1 }, { seq: 3, back: 0 }, { seq: 4, back: 0 }, { seq: 7, back: 0 },
  ])
  assert.deepEqual([hits.of(3), hits.of(5)], [oldest + 2, undefined])
})

test('around: the hits of a line that is only partly on the page are counted from the end', () => {
  const lines = [[3, 'the Needle'], [3, 'hay'], [3, 'needle'], [4, 'needle']].map(([seq, text]) => ({ seq: Number(seq), text: String(text) }))
  assert.equal(lineOf(lines, { seq: 3, back: 0 }, 'needle'), 2)
  assert.equal(lineOf(lines, { seq: 3, back: 1 }, 'needle'), 0)
  assert.equal(lineOf(lines, { seq: 3, back: 2 }, 'needle'), -1)
  assert.equal(lineOf(lines, { seq: 9, back: 0 }, 'needle'), -1)
})

test('around: a hit is shown among its neighbours, and whether lines are left out', () => {
  const lines = Array.from({ length: 50 }, (_, i) => ({ seq: 1 + Math.floor(i / 10), time: '', kind: /** @type {const} */ ('out'), text: `\x1b[1mline\x1b[0m ${i}`, start: '', open: false }))
  const { shown, at, earlier, later } = around(lines, { seq: 3, back: 0 }, 'line 25', 3)
  assert.deepEqual(shown.map((l) => l.text.slice(-2)), ['22', '23', '24', '25', '26', '27', '28'])
  assert.deepEqual([at, earlier, later], [3, true, true])
  const first = around(lines.slice(0, 12), { seq: 1, back: 0 }, 'line 1', 20)
  assert.deepEqual([first.at, first.shown.length, first.earlier, first.later], [1, 12, false, false])
  assert.equal(around(lines, { seq: 3, back: 0 }, 'read otherwise', 3).at, 3, 'the event of the hit')
  assert.equal(around(lines, { seq: 2, back: 0 }, 'line 44', 3).at, 3, 'a part of its line in a later event')
  assert.equal(around([], { seq: 3, back: 0 }, 'x', 3).at, -1)
})
