import assert from 'node:assert/strict'
import { test } from 'node:test'
import { List } from '../app/list/list.js'

/** @typedef {{id: string}} Rec */

/**
 * A list of records that get their rows later, on a page that records which element has the focus.
 * @param {import('node:test').TestContext} t
 */
function list(t) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const focused = { id: '' }
  /** @type {Record<string, () => void>} */
  const heard = {}
  Object.assign(globalThis, {
    document: { hidden: false, activeElement: null, querySelector: () => ({ addEventListener() {}, hasAttribute: () => false, getAttribute: () => '', setAttribute() {} }),
      addEventListener: (/** @type {string} */ name, /** @type {() => void} */ f) => (heard[name] = f) },
  })
  t.after(() => Reflect.deleteProperty(globalThis, 'document'))
  const all = ['a', 'b', 'c'].map((id) => ({ id }))
  const list = new List({ views: [], item: '.item', record: (/** @type {Rec} */ r) => r })
  const arrive = () => {
    list.whole = true
    list.setShown(all)
    list.write()
  }
  const row = (/** @type {string} */ id) => {
    list.rows.set(id, /** @type {any} */ ({ id, element: { isConnected: true, scrollIntoView() {} }, name: { focus: () => (focused.id = id) } }))
    list.write()
  }
  return { list, all, focused, heard, arrive, row }
}

test('list: the focus waits for the row that it goes to', (t) => {
  const { list: l, all, focused, arrive, row } = list(t)
  arrive()
  l.focus(all[1])
  assert.equal(focused.id, '')
  assert.equal(l.at, all[1], 'a further move begins there')
  row('a')
  assert.equal(focused.id, '')
  row('b')
  assert.equal(focused.id, 'b')
  row('c')
  assert.equal(focused.id, 'b')
})

test('list: a focus that went elsewhere meanwhile stays there, and so does one whose record is gone', (t) => {
  const { list: l, all, focused, heard, arrive, row } = list(t)
  arrive()
  l.focus(all[0])
  heard.focusin?.()
  row('a')
  assert.equal(focused.id, '')
  l.focus(all[1])
  l.setShown([])
  row('b')
  assert.equal(focused.id, '')
})

test('list: a move of the focus waits for the records', (t) => {
  const { list: l, all, focused, arrive, row } = list(t)
  l.moving(() => l.focus(all[2]))
  assert.equal(focused.id, '')
  arrive()
  row('c')
  assert.equal(focused.id, 'c')
})
