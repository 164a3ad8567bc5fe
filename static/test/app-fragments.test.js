import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fragments } from '../app/lib/fragments.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Returns Fragments and the requests that they make; the test answers each request. */
function asked() {
  /** @type {{ids: string[], kind: string, answer: (html: Record<string, string>) => void, fail: (e: Error) => void}[]} */
  const requests = []
  /** @type {string[]} */
  const got = []
  const fragments = new Fragments(
    (ids, /** @type {string} */ kind) => new Promise((answer, fail) => requests.push({ ids, kind, answer, fail })),
    (kind, ids, html) => got.push(`${kind} ${ids.map((id) => `${id}=${html[id] ?? ''}`).join(' ')}`),
  )
  return { fragments, requests, got }
}

test('fragments: one request at a time, for the records that were wanted meanwhile', async () => {
  const { fragments, requests, got } = asked()
  for (const id of ['a', 'b', 'a']) fragments.want('row', id)
  await turn()
  for (const id of ['c', 'c']) fragments.want('row', id)
  fragments.want('card', 'a')
  await turn()
  assert.deepEqual(requests.map((r) => r.ids), [['a', 'b']])
  requests[0]?.answer({ a: 'A', b: 'B' })
  await turn()
  requests[1]?.answer({ c: 'C' })
  await turn()
  requests[2]?.answer({ a: 'D' })
  await turn()
  assert.deepEqual(requests.map((r) => `${r.kind} ${r.ids}`), ['row a,b', 'row c', 'card a'])
  assert.deepEqual(got, ['row a=A b=B', 'row c=C', 'card a=D'])
})

test('fragments: records that did not fit the answer are requested again, those that are gone only once', async () => {
  const { fragments, requests, got } = asked()
  for (let i = 0; i < 120; i++) fragments.want('row', `a${i}`)
  await turn()
  assert.equal(requests[0]?.ids.length, 100)
  requests[0]?.answer({ a119: 'A' })
  await turn()
  assert.equal(requests[1]?.ids.length, 100)
  requests[1]?.answer(Object.fromEntries((requests[1]?.ids ?? []).map((id) => [id, id])))
  await turn()
  assert.equal(requests[2]?.ids.length, 19)
  requests[2]?.answer({})
  await turn()
  assert.equal(requests.length, 3, 'nothing came: they are gone')
  assert.match(got[2] ?? '', /^row a\d+= /)
})

test('fragments: a request that failed changes nothing on the page and is not repeated by itself', async () => {
  const { fragments, requests, got } = asked()
  fragments.want('row', 'a')
  await turn()
  requests[0]?.fail(new Error('the connection is gone'))
  await turn()
  assert.deepEqual(got, ['row a='])
  fragments.want('row', 'a')
  await turn()
  assert.equal(requests.length, 2)
})

test('fragments: the latest first, and none that is no longer wanted', async () => {
  /** @type {string[][]} */
  const asked = []
  const gone = new Set(['a7', 'a9'])
  await new Promise((resolve) => {
    const fragments = new Fragments(
      async (ids, /** @type {string} */ _) => {
        asked.push(ids)
        await turn()
        return Object.fromEntries(ids.map((id) => [id, 'x']))
      },
      (_, ids) => ids.includes('a0') && resolve(undefined),
      (id) => !gone.has(id),
    )
    for (let i = 0; i < 250; i++) fragments.want('row', `a${i}`)
    fragments.want('row', 'a5') // it is visible again
  })
  assert.deepEqual(asked.map((ids) => ids.length), [100, 100, 48])
  assert.deepEqual([asked[0]?.[0], asked[0]?.[1], asked[0]?.at(-1)], ['a5', 'a249', 'a151'])
  assert.ok(!asked.flat().some((id) => gone.has(id)))
})

test('fragments: a record that is wanted during its request is requested again, and one that is forgotten is not shown', async () => {
  const { fragments, requests, got } = asked()
  for (const id of ['a', 'b', 'c', 'd']) fragments.want('row', id)
  await turn()
  for (const id of ['b', 'c', 'd']) fragments.forget(id)
  for (const id of ['a', 'c']) fragments.want('row', id) // a has changed again, c is there anew
  fragments.want('row', 'e')
  fragments.forget('e')
  requests[0]?.answer({ a: 'A', b: 'B', c: 'C' })
  await turn()
  requests[1]?.answer({ a: 'A2', c: 'C2' })
  await turn()
  assert.deepEqual(requests.map((r) => r.ids.toSorted()), [['a', 'b', 'c', 'd'], ['a', 'c']])
  assert.deepEqual(got.map((g) => g.split(' ').toSorted().join(' ')), ['a=A row', 'a=A2 c=C2 row'])
})
