import assert from 'node:assert/strict'
import test from 'node:test'
import { Queue } from '../app/task/queue.js'

/** @import { Task } from '../client/types.js' */
/** @import { TaskFilter } from '../app/task/queue.js' */

const NOW = Date.parse('2026-03-04T14:30:00Z')

/**
 * @param {string} id
 * @param {number} num
 * @param {Partial<Task>} [rest]
 * @returns {Task}
 */
const task = (id, num, rest) => ({ id, num, name: id, type: 'coder', state: 'submitted', attempt: 0, created_at: '2026-03-04T14:00:00Z', rev: num, ...rest })

/** @param {string} id @param {number} num @param {number} ago @param {Partial<Task>} [rest] */
const over = (id, num, ago, rest) => task(id, num, { state: 'completed', ended_at: new Date(NOW - ago).toISOString(), ...rest })

/** @param {Partial<TaskFilter>} [f] @returns {TaskFilter} */
const filter = (f) => ({ query: '', type: '', state: '', board: false, parts: false, ...f })

/** @param {Queue} q @param {Partial<TaskFilter>} [f] */
function shown(q, f) {
  const { parts } = q.arrange(filter(f))
  return Object.fromEntries([...parts].map(([key, entries]) => [key, entries.map((e) => e.task.id)]).filter(([, ids]) => ids?.length))
}

/** @param {Queue} q @param {string} id @param {Partial<TaskFilter>} [f] */
const entry = (q, id, f) => [...q.arrange(filter(f)).parts.values()].flat().find((e) => e.task.id === id)

test('queue: tasks are in the order in which they will start', () => {
  const q = new Queue()
  for (const t of [
    over('older', 1, 5000), over('newer', 2, 1000, { state: 'failed' }), task('depends', 3), task('second', 6, { position: 3 }), task('first', 5, { position: 2 }),
    task('critical', 9, { position: 1, priority: 'critical' }), task('working', 4, { state: 'working' }), task('asks', 7, { state: 'input_required' }),
  ]) q.put(t)
  assert.deepEqual(shown(q), { input: ['asks'], working: ['working'], waiting: ['critical', 'first', 'second', 'depends'], over: ['newer', 'older'] })
  assert.deepEqual(shown(q, { board: true }), {
    submitted: ['critical', 'first', 'second', 'depends'], working: ['working'], input_required: ['asks'], completed: ['older'], failed: ['newer'],
  })
})

test('queue: places are counted among the tasks that wait for the same agents, which share a reason', () => {
  const q = new Queue()
  for (let i = 0; i < 50; i++) q.put(task(`t${i}`, i, { position: i + 1, waiting: 'old reason' }))
  q.put(task('other', 100, { position: 1, type: 'shell', waiting: '4 of 4 shell busy' }))
  q.put(task('t0', 0, { position: 1, waiting: '1 of 3 coder waits for your answer, 2 busy', asking: ['a1'] }))
  assert.deepEqual(entry(q, 't30')?.shown.asking, ['a1'], 'those who ask are shared, too')
  q.put(task('t0', 0, { position: 1, waiting: '1 of 3 coder waits for your answer, 2 busy', asking: ['a2'] }))
  assert.deepEqual(entry(q, 't30')?.shown.asking, ['a2'])
  q.put(task('t0', 0, { position: 1, waiting: '3 of 3 coder busy' })) // the server sends only the first ones
  assert.equal(entry(q, 't30')?.shown.asking, undefined)
  assert.equal(entry(q, 't30')?.shown.position, 31)
  assert.equal(entry(q, 't30')?.shown.waiting, '3 of 3 coder busy')
  assert.equal(entry(q, 'other')?.shown.waiting, '4 of 4 shell busy')
  for (let i = 0; i < 10; i++) q.put(task(`t${i}`, i, { state: 'working' }))
  q.put(task('t10', 10, { position: 1, waiting: 'another reason' }))
  assert.equal(entry(q, 't30')?.shown.position, 21)
  assert.equal(entry(q, 't30', { query: 't30' })?.shown.position, 21, 'whatever the filter')
  const before = entry(q, 't30')?.shown
  assert.equal(entry(q, 't30')?.shown, before, 'what did not change is the same, so that nothing is written')
})

test('queue: counts are of all tasks, whatever the filter', () => {
  const q = new Queue()
  q.put(task('a', 1))
  q.put(over('b', 2, 10, { state: 'failed', dead_letter: true }))
  q.put(over('c', 3, 10, { index: 0, parent: 'p' }))
  q.put(over('d', 4, 10))
  for (const f of [{}, { query: 'nothing' }, { state: 'failed' }, { board: true }]) {
    const { counts, children } = q.arrange(filter(f))
    assert.deepEqual({ ...counts }, { '': 4, submitted: 1, failed: 1, completed: 2, dead: 1 })
    assert.equal(children, 1)
  }
})

test('queue: ended child tasks are folded, but a query finds them', () => {
  const q = new Queue()
  q.put(over('part', 3, 10, { index: 0, parent: 'p' }))
  q.put(task('open', 4, { index: 1, parent: 'p', state: 'working' }))
  q.put(over('below', 5, 10, { parent: 'p' }))
  assert.deepEqual(shown(q), { working: ['open'], over: ['below'] })
  assert.deepEqual(shown(q, { parts: true }).over, ['below', 'part'])
  assert.deepEqual(shown(q, { query: 'PART' }), { over: ['part'] })
  assert.deepEqual(shown(q, { state: 'completed' }).over, ['below', 'part'])
})

test('queue: the filter', () => {
  const q = new Queue()
  q.put(task('x', 1, { runs: [{ attempt: 1, agent: 'a1', agent_name: 'coder-7', started_at: '' }], state: 'working', input: { text: 'Fix The Build' } }))
  q.put(over('y', 2, 10, { state: 'failed', dead_letter: true, type: 'shell', message: 'no such goose', capabilities: ['code'] }))
  for (const [query, want] of /** @type {const} */ ([['coder-7', 'x'], ['the build', 'x'], ['GOOSE', 'y'], ['code', 'x,y'], ['shell', 'y']])) {
    assert.equal(Object.values(shown(q, { query })).flat().join(), want, query)
  }
  assert.deepEqual(shown(q, { state: 'dead' }), { over: ['y'] })
  assert.deepEqual(shown(q, { type: 'coder' }), { working: ['x'] })
  q.put(task('x', 1, { state: 'working', input: { text: 'another' } }))
  assert.deepEqual(shown(q, { query: 'the build' }), {}, 'what changed is looked at again')
})

test('queue: tasks come to an end, are tried again, end again and are forgotten', () => {
  const q = new Queue()
  q.put(task('a', 1))
  q.put(over('b', 2, 100))
  q.put(over('a', 1, 50, { state: 'failed' }))
  assert.deepEqual(shown(q), { over: ['a', 'b'] })
  q.put(task('a', 1, { attempt: 3 }))
  q.put(over('a', 1, 20, { state: 'failed' })) // before the queue was first arranged
  assert.deepEqual(shown(q), { over: ['a', 'b'] })
  q.put(task('a', 1, { attempt: 3 }))
  assert.deepEqual(shown(q), { waiting: ['a'], over: ['b'] })
  q.delete('b')
  q.delete('never there')
  assert.deepEqual(shown(q), { waiting: ['a'] })
  assert.equal(q.size, 1)
})

test('queue: a list of all replaces what was', () => {
  const q = new Queue()
  q.put(task('gone', 1))
  q.put(over('over', 2, 10))
  q.put(task('stays', 3))
  q.replace(new Map([['stays', task('stays', 3, { state: 'working' })], ['new', over('new', 4, 5)]]))
  assert.deepEqual(shown(q), { working: ['stays'], over: ['new'] })
})

test("queue: an agent's question is shown at its task", () => {
  let question = ''
  const q = new Queue(() => question)
  q.put(task('asks', 1, { state: 'input_required' }))
  q.put(task('works', 2, { state: 'working' }))
  assert.equal(entry(q, 'asks')?.shown.message, undefined)
  assert.equal(q.asksAnew, false)
  question = 'Which way?'
  assert.equal(q.asksAnew, true)
  const shown = entry(q, 'asks')?.shown
  assert.equal(shown?.message, 'Which way?')
  assert.equal(entry(q, 'asks')?.shown, shown)
  assert.equal(entry(q, 'works')?.shown.message, undefined)
  assert.equal(q.asksAnew, false)
  question = ''
  assert.equal(entry(q, 'asks')?.shown.message, '')
})

test('queue: open tasks below a task are counted', () => {
  const q = new Queue()
  for (const t of [
    task('root', 1, { state: 'working' }), task('kid', 2, { parent: 'root' }), over('done', 3, 10, { parent: 'root' }), task('grandkid', 4, { parent: 'kid' }),
    task('below what is over', 5, { parent: 'done' }), task('other', 6),
  ]) q.put(t)
  assert.equal(q.openBelow(['root']), 3)
  assert.equal(q.openBelow(['root', 'kid']), 2, 'those that are asked for are not below')
  assert.equal(q.openBelow(['other']), 0)
})

// It asserts a duration, so it runs only in make soak.
test('queue: ten thousand tasks are put in order fast, again and again', { skip: !process.env.EVERY && 'make soak asks for it' }, () => {
  const q = new Queue()
  for (let i = 0; i < 10_000; i++) q.put(over(`t${i}`, i, (i * 7919) % 100_000))
  q.arrange(filter())
  let best = Infinity // of several runs, since the machine may be busy
  for (let i = 0; i < 20; i++) {
    const began = performance.now()
    q.put(over(`n${i}`, 20_000 + i, 0))
    q.arrange(filter({ query: '99' }))
    best = Math.min(best, performance.now() - began)
  }
  assert.ok(best < 50, `${best.toFixed(1)} ms each`)
})
