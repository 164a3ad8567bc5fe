// Tests the part of the library that is loaded when it is needed: loading may fail or take forever.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Loader, extra } from '../client/load.js'

/** Loads whose outcome the test decides. */
class Loads {
  /** @type {{again: number, fulfil: (module: object) => void, fail: (e: Error) => void}[]} */
  begun = []
  now = 0
  loader = new Loader(
    (again) => new Promise((fulfil, fail) => this.begun.push({ again, fulfil, fail })),
    () => this.now,
  )
}

test('a module is loaded once, whoever wants it', async () => {
  const loads = new Loads()
  const both = [loads.loader.get(), loads.loader.get()]
  const module = {}
  loads.begun[0].fulfil(module)
  for (const one of [...both, loads.loader.get()]) assert.equal(await one, module)
  assert.deepEqual(loads.begun.map(({ again }) => again), [0])
})

test('a load that fails says so, and the next one has another name', async () => {
  const loads = new Loads()
  const cause = new TypeError('Failed to fetch dynamically imported module')
  for (const again of [0, 1, 2]) {
    const got = loads.loader.get()
    assert.equal(loads.begun.at(-1)?.again, again)
    loads.begun.at(-1)?.fail(cause)
    await assert.rejects(got, { name: 'SkeinError', kind: 'not_loaded', final: false, message: /\.\/extra\.js.*Failed to fetch.*load the page again/, cause })
  }
  const got = loads.loader.get()
  loads.begun.at(-1)?.fulfil({})
  await got
})

test('the wait for a load can be aborted', async () => {
  /** @type {unknown[]} */
  const unhandled = []
  const note = (/** @type {unknown} */ e) => unhandled.push(e)
  process.on('unhandledRejection', note)
  try {
    const loads = new Loads()
    const left = new AbortController()
    const got = loads.loader.get(left.signal)
    left.abort(new Error('another endpoint was faster'))
    await assert.rejects(got, /another endpoint/)
    loads.begun[0].fail(new Error('offline'))
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(unhandled, [])
    await assert.rejects(loads.loader.get(left.signal), /another endpoint/)
    assert.equal(loads.begun.length, 1, 'an aborted signal begins no load')
  } finally {
    process.off('unhandledRejection', note)
  }
})

test('a load that is stuck does not prevent another one', async () => {
  const loads = new Loads()
  const first = loads.loader.get()
  loads.now = 4000
  const second = loads.loader.get()
  assert.equal(loads.begun.length, 1)
  loads.now = 6000
  const third = loads.loader.get()
  assert.equal(loads.begun.length, 2)
  loads.begun[1].fulfil({ which: 'the second' })
  assert.deepEqual(await third, { which: 'the second' })
  loads.begun[0].fail(new Error('at last'))
  for (const one of [first, second]) await assert.rejects(one, /at last/)
  assert.deepEqual(await loads.loader.get(), { which: 'the second' })
})

test('the loaded module has what the other modules use', async () => {
  const { openQMux, sha256, sourceOf } = await extra.get()
  for (const f of [openQMux, sha256.create, sourceOf]) assert.equal(typeof f, 'function')
})
