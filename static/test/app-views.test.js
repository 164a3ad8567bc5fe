import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_NAME, MAX_VIEWS, Views } from '../app/lib/views.js'

/** @param {string} [kept] */
function opened(kept) {
  const all = new Map(kept === undefined ? [] : [['views', kept]])
  return new Views({ get: (name) => all.get(name) ?? null, set: (name, value) => void all.set(name, value) })
}

test('a view is saved, replaced, renamed and deleted', () => {
  const views = opened()
  assert.equal(views.save(' my\n team ', '?type=coder'), '')
  assert.equal(views.save('Asks', '?state=needs'), '')
  assert.deepEqual(views.all, [{ name: 'Asks', query: '?state=needs' }, { name: 'my team', query: '?type=coder' }])
  assert.equal(views.save('Asks', '?state=needs&sort=name'), '')
  assert.equal(views.all.length, 2)
  assert.match(views.rename('my team', 'Asks'), /already/)
  assert.match(views.rename('my team', ' '), /needs a name/)
  assert.equal(views.rename('my team', 'my team'), '')
  assert.equal(views.rename('my team', 'zebras'), '')
  views.delete('Asks')
  assert.deepEqual(views.all, [{ name: 'zebras', query: '?type=coder' }])
})

test('what is no view is not saved', () => {
  const views = opened()
  assert.match(views.save('', '?q=a'), /name/)
  assert.match(views.save('all', ''), /Filter/)
  assert.match(views.save('long', `?q=${'a'.repeat(3000)}`), /Filter/)
  for (let i = 0; i < MAX_VIEWS; i++) assert.equal(views.save(`${i}`, '?q=a'), '')
  assert.match(views.save('one more', '?q=a'), /delete one first/)
  assert.equal(views.save('3', '?q=b'), '', 'another query under the same name')
  assert.equal(opened().save('é'.repeat(100), '?q=a'), '')
})

test('what storage has is not trusted', () => {
  for (const bad of ['', '{', 'null', '7', '{"a":1}', '[null, 1, {}, {"name":7,"query":"?"}, {"name":"x"}, {"name":"","query":"?"}, {"name":"x","query":"//elsewhere"}, {"name":"a\\u0000","query":"?"}]']) {
    assert.deepEqual(opened(bad).all, [], bad)
  }
  const many = JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ name: `v${i}`.padEnd(MAX_NAME, 'x'), query: '?q=a', more: 1 })))
  assert.equal(opened(many).all.length, MAX_VIEWS)
  assert.deepEqual(Object.keys(opened(many).all[0] ?? {}), ['name', 'query'])
})
