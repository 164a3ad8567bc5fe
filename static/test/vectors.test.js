import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ErrorCode, closeName, errorName, reconnects } from '../client/codes.js'
import { CloseError, RpcError, SkeinError } from '../client/errors.js'
import { LineReader, LineTooLong } from '../client/lines.js'
import { parseHeader } from '../client/lane.js'
import { parseMessage } from '../client/message.js'
import { epochHash, formatStatus, parseStatus } from '../client/status.js'
import { streamOf } from './streams.js'

// The Go tests of package wire read the same files.

/**
 * @param {string} file
 * @returns {any[]}
 */
function vectors(file) {
  const all = JSON.parse(readFileSync(new URL(`../../webtransport/wire/testdata/${file}`, import.meta.url), 'utf8'))
  assert.ok(all.length > 0)
  return all
}

/** @param {{line: string, repeat?: string, times?: number, end?: string}} v */
function text(v) {
  return v.line + (v.repeat ?? '').repeat(v.times ?? 0) + (v.end ?? '')
}

test('messages', async (t) => {
  for (const v of vectors('messages.json')) {
    await t.test(v.name, () => {
      if (v.error) {
        assert.throws(
          () => parseMessage(text(v)),
          (/** @type {any} */ e) => e instanceof RpcError && e.code === v.error && e.kind === errorName(v.error),
        )
        return
      }
      const m = parseMessage(text(v))
      const kind = !m.method ? 'response' : m.id === undefined ? 'notification' : 'request'
      assert.equal(kind, v.kind)
      assert.equal(m.id === undefined ? undefined : JSON.stringify(m.id), v.id)
      assert.equal(m.method, v.method)
      assert.equal(m.error?.code, v.code)
    })
  }
})

test('headers', async (t) => {
  for (const v of vectors('headers.json')) {
    await t.test(v.name, () => {
      if (v.error) {
        assert.throws(() => parseHeader(text(v)), SkeinError)
        return
      }
      const got = /** @type {any} */ (parseHeader(text(v)))
      for (const [name, value] of Object.entries(v.header)) assert.equal(got[name], value)
    })
  }
})

test('close codes', () => {
  for (const v of vectors('close.json')) {
    assert.equal(reconnects(v.code), v.reconnect, `${v.code}`)
    assert.equal(closeName(v.code), v.name)
    assert.equal(new CloseError(v.code).final, !v.reconnect)
  }
})

test('error codes', () => {
  const all = vectors('errors.json')
  assert.deepEqual(Object.fromEntries(all.map((v) => [v.kind, v.code])), ErrorCode)
  for (const v of all) assert.equal(errorName(v.code), v.kind)
})

test('epoch hashes', () => {
  for (const v of vectors('epochs.json')) assert.equal(epochHash(v.epoch), v.hash, v.epoch)
})

test('status datagrams', async (t) => {
  for (const v of vectors('status.json')) {
    await t.test(v.name, () => {
      const d = parseStatus(Buffer.from(v.hex, 'hex'))
      if (v.error) {
        assert.equal(d, undefined)
        return
      }
      const records = v.records.map((/** @type {any} */ r) => ({
        num: r.num,
        rev: r.rev,
        status: r.status,
        activity: r.activity,
        reason: r.reason,
        processes: r.processes,
        cpu: r.cpu,
        exitCode: r.exit_code,
        rss: r.rss,
        heartbeatMs: r.heartbeat_ms,
        lastSeq: r.last_seq,
      }))
      const want = { epoch: v.epoch, seq: v.seq, records }
      assert.deepEqual(d, want)
      if (v.rewrites !== false) assert.equal(Buffer.from(formatStatus(want)).toString('hex'), v.hex)
    })
  }
})

test('lines', async (t) => {
  /** @type {Record<string, string>} */
  const kinds = { too_large: 'too_large', unexpected_end: 'bad_stream' }
  for (const v of vectors('lines.json')) {
    /** @type {Uint8Array[]} */
    const whole = v.chunks.map((/** @type {string} */ c) => Buffer.from(c, 'hex'))
    const bytes = whole.flatMap((c) => Array.from(c, (b) => Uint8Array.of(b)))
    for (const [how, chunks] of Object.entries({ 'as it comes': whole, 'byte by byte': bytes })) {
      await t.test(`${v.name}, ${how}`, async () => {
        const reader = new LineReader(streamOf(chunks), v.limit)
        for (const line of v.lines) assert.equal(await reader.read(), line)
        if (!v.error) assert.equal(await reader.read(), undefined)
        else await assert.rejects(reader.read(), { name: 'SkeinError', kind: kinds[v.error] })
      })
    }
  }
})

test('lines that are too long', async () => {
  for (const v of vectors('toolong.json')) {
    const whole = Buffer.from(v.begin + 'x'.repeat(5000))
    for (const chunks of [[whole], Array.from(whole, (b) => Uint8Array.of(b))]) {
      const reader = new LineReader(streamOf(chunks), 1000)
      await assert.rejects(reader.read(), (/** @type {any} */ e) => {
        assert.ok(e instanceof LineTooLong)
        assert.equal(e.limit, 1000)
        assert.equal(e.answerTo ?? null, v.answers, v.name)
        return true
      })
    }
  }
})
