import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { changes, diff, merge, shorten, unmerged } from '../app/memory/diff.js'
import { Rate, uploadText } from '../app/artifact/uploads.js'
import { compareKeys, entryURL, expiresText, shownValue, valueBytes, valueKind, versionWord, writerAgent, writerWord } from '../app/memory/value.js'

/** @param {string} name that Go's tests read too */
const table = (name) => JSON.parse(readFileSync(new URL(`../../ui/testdata/${name}`, import.meta.url), 'utf8'))
const values = table('value.json')
const diffs = table('diff.json')
const now = Date.parse('2026-03-04T14:30:00Z')
const encode = (/** @type {string} */ s) => new TextEncoder().encode(s)

test('values', () => {
  for (const { kind, preview: _, shown, ...value } of values.values) {
    const b = valueBytes({ value })
    assert.equal(valueKind(b), kind, JSON.stringify(value))
    assert.equal(shownValue(b), shown)
  }
  for (const [at, want] of values.expires) assert.equal(expiresText(at, now), want)
  for (const { writer, agent, name, word } of values.writers) {
    assert.equal(writerAgent(writer), agent)
    assert.equal(writerWord(writer, name), word)
  }
  for (const { entry, word } of values.versions) assert.equal(versionWord(entry), word)
  for (const { namespace, key, url } of values.urls) assert.equal(entryURL(namespace, key), url)
})

test('keys are in the order of their bytes', () => {
  const keys = ['', 'Z', 'a', 'a/b', 'ab', 'é', '\uffee', '\u{1f986}', '\u{1fabf}']
  for (const [i, a] of keys.entries()) {
    for (const [j, b] of keys.entries()) assert.equal(Math.sign(compareKeys(a, b)), Math.sign(i - j), `${a} and ${b}`)
    assert.equal(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(keys[i + 1] ?? '\u{10ffff}'))), -1)
  }
})

test('comparisons', () => {
  const texts = (/** @type {import('../app/memory/diff.js').DiffLine[]} */ lines) => lines.map((l) => l.op + l.text)
  for (const { before, after, lines } of diffs.diff) assert.deepEqual(texts(diff(before, after)), lines, `${before} to ${after}`)
  for (const { before, after, lines } of diffs.shorten) assert.deepEqual(texts(shorten(diff(before, after))), lines)
  for (const { theirs, yours, text } of diffs.merge) {
    assert.equal(merge(theirs, yours), text)
    assert.equal(unmerged(text), text.includes('<<<<<<<'))
  }
  assert.deepEqual(texts(changes(encode('{"a":1}'), encode('{"a":2}'))), [' {', '-  "a": 1', '+  "a": 2', ' }'])
  assert.deepEqual(texts(changes(new Uint8Array([0]), encode('a'))), ['…the bytes differ'])
  const long = shorten(diff(Array.from({ length: 5000 }, (_, i) => 'a'.repeat(i % 7)).join('\n'), Array.from({ length: 5000 }, (_, i) => 'b'.repeat(i % 5)).join('\n')))
  assert.equal(long.length, 201)
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
