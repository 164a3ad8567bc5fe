import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Rate, uploadText } from '../app/artifact/uploads.js'
import { unmerged } from '../app/memory/conflict.js'
import { compareKeys, entryURL, textOf, valueBytes } from '../app/memory/value.js'

/** The table that ui/value_test.go reads too. */
const table = JSON.parse(readFileSync(new URL('../../ui/testdata/value.json', import.meta.url), 'utf8'))

test('addresses of entries', () => {
  for (const { namespace, key, url } of table.urls) assert.equal(entryURL(namespace, key), url)
})

test('only bytes without zeros that are UTF-8 are text', () => {
  assert.equal(textOf(valueBytes({ value: { text: '\ufeffGrüße' } })), '\ufeffGrüße')
  for (const base64 of ['AAEC', '/w==']) assert.equal(textOf(valueBytes({ value: { base64 } })), undefined)
})

test('a merge by hand is over when its markers are gone', () => {
  assert.ok(unmerged('a\n<<<<<<< theirs\nb\n=======\nB\n>>>>>>> yours\nc'))
  assert.ok(unmerged('b\n>>>>>>> yours'))
  assert.ok(!unmerged('a <<<<<<< theirs\n======='))
})

test('keys are in the order of their bytes', () => {
  const keys = ['', 'Z', 'a', 'a/b', 'ab', 'é', '\uffee', '\u{1f986}', '\u{1fabf}']
  for (const [i, a] of keys.entries()) {
    for (const [j, b] of keys.entries()) assert.equal(Math.sign(compareKeys(a, b)), Math.sign(i - j), `${a} and ${b}`)
    assert.equal(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(keys[i + 1] ?? '\u{10ffff}'))), -1)
  }
})

test('a rate is that of the last seconds', () => {
  const rate = new Rate()
  assert.equal(rate.perSecond, 0)
  rate.add(0, 0)
  assert.equal(rate.perSecond, 0)
  rate.add(1000, 1_000_000)
  assert.equal(rate.perSecond, 1_000_000)
  for (let s = 2; s <= 10; s++) rate.add(s * 1000, 1_000_000 + s * 100)
  assert.equal(rate.perSecond, 100)
  rate.add(11_000, 500) // it continued from what the server had stored
  assert.equal(rate.perSecond, 0)
  rate.add(12_000, 700)
  assert.equal(rate.perSecond, 200)
})

test('the state of an upload', () => {
  const u = { state: 'sending', loaded: 1 << 20, total: 4 << 20, perSecond: 1 << 20, open: true }
  assert.equal(uploadText(u), '1 MiB of 4 MiB, 1 MiB/s, 3s left')
  assert.equal(uploadText({ ...u, perSecond: 0 }), '1 MiB of 4 MiB')
  assert.equal(uploadText({ ...u, open: false }), '1 MiB of 4 MiB, waits for the connection and then goes on')
  assert.equal(uploadText({ ...u, loaded: u.total }), '4 MiB of 4 MiB, is checked and stored')
  assert.equal(uploadText({ ...u, state: 'waiting' }), '4 MiB, waits for its turn')
  assert.equal(uploadText({ ...u, state: 'done' }), '4 MiB, complete')
  assert.equal(uploadText({ ...u, state: 'failed', error: 'No room.' }), 'No room.')
})
