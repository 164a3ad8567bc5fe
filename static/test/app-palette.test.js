import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sought, soughtQuery } from '../app/lib/sought.js'
import { outputsNote } from '../app/palette/lines.js'
import { Outputs, hitPieces } from '../app/palette/outputs.js'
import { FEW, group, pieces, quality, rank } from '../app/palette/rank.js'
import { Recent } from '../app/palette/recent.js'
import { agentItems, sources } from '../app/palette/sources.js'
import { lastLine } from '../app/terminal/seek.js'

/** @import { Item } from '../app/palette/rank.js' */

/**
 * @param {string} title
 * @param {Partial<Item>} [more]
 * @returns {Item}
 */
const item = (title, more) => ({ kind: 'agent', key: `k-${title}`, title, icon: 'i-search', ...more })

/** @param {Item[]} items */
const titles = (items) => items.map((i) => i.title)

test('the best match is first: the name, its beginning, the beginning of a word, a part, what is beside it', () => {
  const all = ['redeploy', 'deployer', 'smoke', 'the deploy job', 'deploy', 'other'].map((t) => item(t, t === 'smoke' ? { detail: 'deploy failed' } : {}))
  assert.deepEqual(titles(rank(all, 'deploy')), ['deploy', 'deployer', 'the deploy job', 'redeploy', 'smoke'])
  assert.deepEqual([5, 4, 3, 2, 0].map((_, i) => quality(/** @type {Item} */ (rank(all, 'deploy')[i]), 'deploy')), [5, 4, 3, 2, 0])
  assert.equal(quality(item('x', { key: 'ahpiydymuu6nl' }), 'AHPIYDYMUU6NL'), 5, 'an id')
})

test('words are found in any order and in any field, with a mistake, and in any alphabet', () => {
  const all = [item('reviewer', { detail: 'go test ./server', also: 'a123 coder' }), item('Прогноз погоды'), item('größe'), item('spinnaker')]
  for (const [text, want] of /** @type {[string, string[]][]} */ ([
    ['server review', ['reviewer']], ['coder', ['reviewer']], ['a123', ['reviewer']], ['погод', ['Прогноз погоды']], ['größ', ['größe']],
    ['spinaker', ['spinnaker']], ['./', ['reviewer']], ['xyzzy', []], ['review xyzzy', []], ['(', []], ['-x', []], ['--test', ['reviewer']],
  ])) assert.deepEqual(titles(rank(all, text)), want, text)
})

test('what the server found for a text stays, and goes when the text is another', () => {
  const all = [item('a', { matched: 'needle' }), item('b', { matched: 'need' })]
  assert.deepEqual(titles(rank(all, 'needle')), ['a'])
  assert.deepEqual(titles(rank([item('a', { matched: 'one two' })], 'one two')), [], 'all of several words must be known to be there')
})

test('of equals, what was used lately is first', () => {
  const all = [item('deploy-1'), item('deploy-2'), item('deploy')]
  assert.deepEqual(titles(rank(all, 'depl', (i) => (i.title === 'deploy-2' ? 0 : Infinity))), ['deploy-2', ...titles(rank(all, 'depl')).filter((t) => t !== 'deploy-2')])
  assert.deepEqual(titles(rank(all, 'deploy', (i) => (i.title === 'deploy-2' ? 0 : Infinity)))[0], 'deploy')
})

test('groups have few of each, say how many more there are, and the one with the best match is first', () => {
  const agents = Array.from({ length: 9 }, (_, i) => item(`a deploy ${i}`))
  const task = item('deploy', { kind: 'task' })
  const got = group(rank([...agents, task], 'deploy'), 'deploy', { task: 41 })
  assert.deepEqual(got.map((g) => [g.kind, g.items.length, g.more]), [['task', 1, 40], ['agent', FEW, 4]])
  assert.deepEqual(group([], 'deploy', { task: 3 }), [], 'what nothing is shown of is no group')
})

test('ten thousand agents are ranked, and each is found', () => {
  const all = Array.from({ length: 10_000 }, (_, i) => item(`worker-${i}`, { detail: `step ${i}` }))
  assert.equal(rank(all, 'worker').length, 10_000)
  assert.equal(rank(all, 'worker-7777')[0]?.title, 'worker-7777')
})

test('matches are cut out as text, whatever the text is', () => {
  const marked = (/** @type {string} */ text, /** @type {string[]} */ words) => pieces(text, words).map((p) => (p.hit ? `[${p.text}]` : p.text)).join('')
  assert.equal(marked('<b>Deploy</b> redeploy', ['deploy']), '<b>[Deploy]</b> re[deploy]')
  assert.equal(marked('a.b axb', ['a.b']), '[a.b] axb')
  assert.equal(marked('İstanbul istanbul', ['istanbul']), 'İstanbul [istanbul]')
  assert.equal(marked('deployment', ['deploy', 'deployment']), '[deployment]')
  assert.equal(marked('(x) [y] a-b/c', ['(', ']', 'a-b/']), '[(]x) [y[]] [a-b/]c')
  assert.equal(marked('text', []), 'text')
  assert.deepEqual(hitPieces({ line: '😀 a needle', from: 4, to: 10 }), [{ text: '😀 a ', hit: false }, { text: 'needle', hit: true }])
  assert.deepEqual(hitPieces({ line: `${'x'.repeat(100)}needle.`, from: 100, to: 106 }).map((p) => p.text), [`…${'x'.repeat(24)}`, 'needle', '.'])
})

/** @param {string} [text] */
function storage(text) {
  /** @type {Map<string, string>} */
  const map = new Map(text === undefined ? [] : [['skein.palette', text]])
  return { getItem: (/** @type {string} */ k) => map.get(k) ?? null, setItem: (/** @type {string} */ k, /** @type {string} */ v) => void map.set(k, v) }
}

test('what was used lately is kept, the newest first, and bounded; what is not ours is not taken', () => {
  const kept = storage()
  const recent = new Recent(() => kept)
  for (let i = 0; i < 30; i++) recent.add(item('x'.repeat(1000) + i, { href: '/agents/a' }))
  recent.add(item('again'))
  recent.add(item('b'))
  recent.add(item('again'))
  const read = new Recent(() => kept)
  assert.deepEqual(read.all.slice(0, 3).map((k) => k.title.slice(0, 5)), ['again', 'b', 'xxxxx'])
  assert.equal(read.all.length, 12)
  assert.ok(read.all.every((k) => k.title.length <= 200))
  assert.equal(read.place(item('b')), 1)
  assert.equal(read.place(item('c')), Infinity)
  const good = { kind: 'page', key: 'k', title: 't', detail: '', icon: 'i-x', href: '/tasks' }
  for (const bad of ['javascript:alert(1)', '//evil.example', '/\\evil.example', 'https://evil.example', 7]) {
    assert.deepEqual(new Recent(() => storage(JSON.stringify([{ ...good, href: bad }, good]))).all, [good], String(bad))
  }
  for (const bad of ['', '{', 'null', '{"a":1}', '[null, 1, "x", {}, {"kind":"constructor"}]']) assert.deepEqual(new Recent(() => storage(bad)).all, [], bad)
  const forbidden = new Recent(() => { throw new Error('forbidden') })
  forbidden.add(item('a'))
  assert.equal(forbidden.all.length, 1)
})

test('the fleet’s agents are found by what they ask, run and print', () => {
  const asks = { id: 'a1', name: 'asks\u0007', type: 'coder', status: 'running', activity: 'requires_action', question: 'Shall I?', last_line: 'line', argv: ['go'] }
  const all = agentItems(/** @type {any} */ ([asks, { ...asks, id: 'a2', for_task: 't1' }, { ...asks, id: 'a3', for_task: 't1', activity: '' }]))
  assert.deepEqual(all.map((a) => a.key), ['a1', 'a2'], 'the process of a task is found as its task, unless it asks')
  const a = /** @type {Item} */ (all[0])
  assert.deepEqual([a.title, a.detail, a.icon, a.note, a.href], ['asks', 'Shall I?', 's-requires_action', 'Needs you', '/agents/a1'])
  assert.match(String(a.also), /a1 coder line/)
})

test('the server is asked for few, for the longest word; a part that was looked at says so', async () => {
  /** @type {any[]} */
  const asked = []
  const list = (/** @type {any} */ filter) => {
    asked.push(filter)
    return Promise.resolve({ tasks: [{ id: 't1', name: 'one', state: 'working' }], total: 50 })
  }
  const search = (/** @type {any} */ params) => {
    asked.push(params)
    return Promise.resolve({ hits: [{ entry: { namespace: 'n', key: 'a/b' }, snippet: 's' }], total: 7 })
  }
  const all = sources(/** @type {any} */ ({ tasks: { list }, memory: { search } }))
  const { signal } = new AbortController()
  const one = await all.task?.('one', signal)
  assert.deepEqual([one?.total, one?.of, one?.items[0]?.matched], [50, undefined, 'one'])
  const two = await all.task?.('to deploy', signal)
  assert.deepEqual([two?.total, two?.of], [undefined, 50])
  const memory = await all.memory?.('a "b', signal)
  assert.deepEqual(memory?.items.map((i) => [i.title, i.href]), [['n/a/b', '/memory/n/a%2Fb'], ['n', '/memory/n']])
  assert.deepEqual(await all.memory?.('***', signal), { items: [], total: 0 }, 'nothing that has no word is asked')
  assert.deepEqual(asked.map((a) => a.query), ['one', 'deploy', 'a* b*'])
  assert.ok(asked.every((a) => a.limit <= 40))
})

/** @param {number} seq */
const line = (seq) => ({ agent: 'a1', name: 'talker', seq, time: '2026-03-04T14:00:00Z', line: 'a needle', from: 2, to: 8 })

test('the output is searched further back on its own until something is found, and no further', async () => {
  /** @type {any[]} */
  const asked = []
  const answers = [{ matches: [], before: 90, more: true }, { matches: [line(80)], before: 70, more: true, dropped: { events: 1, bytes: 2048 } }, { matches: [line(60)], before: 1, more: false }]
  const outputs = new Outputs((params) => {
    asked.push(params)
    return Promise.resolve(/** @type {any} */ (answers[asked.length - 1]))
  }, () => {})
  outputs.expect('needle')
  assert.ok(outputs.busy)
  await outputs.go()
  assert.deepEqual([outputs.lines.map((l) => l.seq), outputs.more, outputs.gone, outputs.busy], [[80], true, 2048, false])
  await outputs.go()
  assert.deepEqual([outputs.lines.map((l) => l.seq), outputs.more], [[80, 60], false])
  assert.deepEqual(asked.map((a) => a.before), [undefined, 90, 70])
  outputs.expect('x')
  await outputs.go()
  assert.equal(asked.length, 3, 'one letter is not searched for')
})

test('an answer for another text is not shown, its request is canceled, and an error is told', async () => {
  /** @type {((v: any) => void)[]} */
  const answer = []
  /** @type {AbortSignal[]} */
  const signals = []
  let told = 0
  const outputs = new Outputs((_, { signal }) => {
    if (signal) signals.push(signal)
    return new Promise((resolve) => answer.push(resolve))
  }, () => told++)
  outputs.expect('one')
  const first = outputs.go()
  outputs.expect('two')
  assert.ok(signals[0]?.aborted)
  const second = outputs.go()
  answer[0]?.({ matches: [line(1)], before: 1, more: false })
  await first
  assert.deepEqual([outputs.lines, outputs.busy, told], [[], true, 0])
  answer[1]?.({ matches: [line(2)], before: 1, more: false })
  await second
  assert.deepEqual([outputs.lines.map((l) => l.seq), told], [[2], 1])
  const broken = new Outputs(() => Promise.reject(new Error('no')), () => {})
  broken.expect('needle')
  await broken.go()
  assert.match(String(broken.error), /no/)
  assert.equal(outputsNote(broken), 'The search failed.')
})

test('the output’s note says what is not there', () => {
  const note = (/** @type {object} */ o) => outputsNote({ lines: [], busy: false, more: false, since: undefined, gone: 0, error: undefined, ...o })
  assert.equal(note({}), 'No line has it.')
  assert.equal(note({ busy: true }), 'Searching…')
  assert.match(note({ more: true, since: '2026-03-04T14:00:00Z' }), /^Nothing since \d\d:\d\d:\d\d\.$/)
  assert.equal(note({ lines: [line(1)], gone: 2048 }), '2 KiB of earlier output are no longer there: the log was full.')
})

test('a link to a line says which; what is no such link is none', () => {
  const what = { text: 'a & b=c #1', seq: 12345, back: 2 }
  assert.deepEqual(sought(`?${soughtQuery(what)}`), what)
  for (const [query, want] of /** @type {[string, any][]} */ ([
    ['', undefined], ['?at=1.0', undefined], ['?find=x', { text: 'x', seq: 0, back: 0 }], ['?find=x&at=-1.0', { text: 'x', seq: 0, back: 0 }],
    ['?find=x&at=99999999999999999999.0', { text: 'x', seq: 0, back: 0 }],
  ])) assert.deepEqual(sought(query), want, query)
})

test('the last line of a terminal with a text is found, over rows that are wrapped', () => {
  const rows = ['a needle', 'hay', 'a nee', '+dle that is wrapped', 'hay', ''].map((t) => ({ isWrapped: t.startsWith('+'), translateToString: () => t.replace('+', '') }))
  const buffer = /** @type {any} */ ({ length: rows.length, getLine: (/** @type {number} */ y) => rows[y] })
  assert.equal(lastLine(buffer, 'needle'), 2)
  assert.equal(lastLine(buffer, 'a needle '), 2)
  assert.equal(lastLine(buffer, 'hay'), 4)
  assert.equal(lastLine(buffer, 'absent'), undefined)
})
