import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { sha256 } from '@noble/hashes/sha2.js'
import { SkeinError } from '../client/errors.js'
import { Sha256 } from '../client/hash.js'
import { Skein } from '../client/index.js'
import { KEPT, sourceOf } from '../client/source.js'
import { Files } from './files.js'
import { Peer } from './peer.js'
import { streamOf } from './streams.js'
import { eventually } from './until.js'

const limit = { timeout: 60_000 }
const transports = /** @type {const} */ (['webtransport', 'websocket'])

/**
 * @param {import('node:test').TestContext} t
 * @param {import('../client/index.js').SkeinOptions} [options]
 */
async function open(t, options) {
  const peer = new Peer()
  const files = new Files(peer)
  const skein = new Skein({ ...peer.options, ...options })
  t.after(() => skein.close())
  await skein.ready
  return { peer, files, skein }
}

/** @param {Uint8Array} bytes @param {number} [size] of a chunk */
function streamed(bytes, size = 7000) {
  return streamOf(Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)))
}

/** @param {ReadableStream<Uint8Array>} stream */
async function all(stream) {
  return Buffer.from(await new Response(stream).arrayBuffer())
}

/** Compares the bytes of an upload with what is stored. @param {Files} files @param {string} id @param {Uint8Array} bytes */
function stored(files, id, bytes) {
  assert.ok(files.kept.get(id)?.bytes.equals(bytes), 'other bytes were stored')
}

for (const transport of transports) {
  for (const [name, make] of /** @type {[string, (b: Uint8Array) => any][]} */ ([
    ['a Blob', (b) => new Blob([/** @type {any} */ (b)], { type: 'image/png' })],
    ['bytes', (b) => b],
    ['a stream', streamed],
  ])) {
    test(`${name} is uploaded whole although the connection breaks three times, over ${transport}`, limit, async (t) => {
      const { files, skein } = await open(t, { transport })
      const bytes = randomBytes(1_500_000)
      files.breaks = [300_000, 700_000, 1_100_000]
      files.loses = 50_000
      /** @type {number[]} */
      const progress = []
      const artifact = await skein.artifacts.upload(make(bytes), {
        name: 'all.png',
        size: bytes.length,
        task: 't1',
        onprogress: ({ loaded, total }) => {
          assert.equal(total, bytes.length)
          progress.push(loaded)
        },
      })
      stored(files, artifact.id, bytes)
      assert.equal(artifact.sha256, createHash('sha256').update(bytes).digest('hex'))
      assert.deepEqual([artifact.name, artifact.task, artifact.size], ['all.png', 't1', bytes.length])
      if (name === 'a Blob') assert.equal(artifact.media_type, 'image/png')
      assert.equal(files.kept.size, 1)
      assert.equal(files.begins.length, 4)
      assert.ok(
        files.begins.slice(1).every((b, i) => b.offset >= [250_000, 650_000, 1_050_000][i]),
        `it began at ${files.begins.map((b) => b.offset)}`,
      )
      assert.equal(progress.at(-1), bytes.length)
      assert.equal(progress[0], 0)
    })
  }

  test(`a download goes on where it broke, and is checked, over ${transport}`, limit, async (t) => {
    const { files, skein } = await open(t, { transport })
    const bytes = randomBytes(1_000_000)
    const { id } = files.add(bytes)
    files.breaks = [200_000, 500_000, 800_000]
    let last = 0
    const got = await all(
      skein.artifacts.download(id, {
        onprogress: ({ loaded, total }) => {
          assert.ok(loaded > last && total === bytes.length)
          last = loaded
        },
      }),
    )
    assert.ok(got.equals(bytes))
    assert.equal(last, bytes.length)
    assert.equal(files.begins.length, 4)
    assert.ok(files.begins.slice(1).every((b) => b.offset > 0), `it began at ${files.begins.map((b) => b.offset)}`)
  })

  test(`the reason of a refused upload arrives, not only that it broke, over ${transport}`, limit, async (t) => {
    const { files, skein } = await open(t, { transport })
    files.refusal = { at: 200_000, error: { code: -32004, message: 'the disk is full', data: { kind: 'resource_exhausted' } } }
    await assert.rejects(skein.artifacts.upload(randomBytes(3_000_000), { name: 'x' }), { name: 'RpcError', kind: 'resource_exhausted', message: 'the disk is full' })
    assert.equal(files.begins.length, 1)
  })
}

test('an empty file is uploaded and downloaded', limit, async (t) => {
  const { files, skein } = await open(t)
  const { id, sha256: sum } = await skein.artifacts.upload(new Uint8Array(0), { name: 'empty' })
  assert.equal(sum, createHash('sha256').digest('hex'))
  assert.equal((await all(skein.artifacts.download(id))).length, 0)
  assert.equal(files.begins.length, 2)
})

test('an upload whose end was not answered is not sent again', limit, async (t) => {
  const { files, skein } = await open(t)
  files.breakAtEnd = true
  const bytes = randomBytes(100_000)
  const { id } = await skein.artifacts.upload(bytes, { name: 'x' })
  stored(files, id, bytes)
  assert.deepEqual(files.begins.map((b) => b.offset), [0, 100_000])
})

test('an interrupted upload continues: only the rest is sent, all of it is checked', limit, async (t) => {
  const { files, skein } = await open(t)
  const bytes = randomBytes(400_000)
  const { id } = await skein.artifacts.create({ name: 'x', size: bytes.length })
  const stop = new AbortController()
  const stopped = skein.artifacts.upload(streamOf([bytes.subarray(0, 150_000)]), {
    artifact: id,
    size: bytes.length,
    signal: stop.signal,
    onprogress: ({ loaded }) => loaded === 150_000 && stop.abort(new Error('enough')),
  })
  await assert.rejects(stopped, { message: 'enough' })
  const kept = files.kept.get(id)
  if (kept) kept.bytes = bytes.subarray(0, 123_456)
  const artifact = await skein.artifacts.upload(new Blob([bytes]), { artifact: id })
  stored(files, id, bytes)
  assert.equal(artifact.id, id)
  assert.equal(files.begins[1].offset, 123_456)
  assert.equal(files.kept.size, 1)
})

test('bytes that changed during an upload are detected', limit, async (t) => {
  const { files, skein } = await open(t)
  files.spoil = (b) => ((b[5] ^= 1), b)
  await assert.rejects(skein.artifacts.upload(randomBytes(1000), { name: 'x' }), { name: 'SkeinError', kind: 'hash_mismatch' })
})

test('bytes that changed during a download are detected at the end', limit, async (t) => {
  const { files, skein } = await open(t)
  const { id } = files.add(randomBytes(50_000))
  const kept = files.kept.get(id)
  if (kept) kept.bytes[49_999] ^= 1
  const reader = skein.artifacts.download(id).getReader()
  let size = 0
  await assert.rejects(
    async () => {
      for (let r = await reader.read(); !r.done; r = await reader.read()) size += r.value.length
    },
    { name: 'SkeinError', kind: 'hash_mismatch' },
  )
  assert.equal(size, 50_000)
})

test('a file that was replaced during a reconnect is detected', limit, async (t) => {
  const { files, skein } = await open(t)
  const { id } = files.add(randomBytes(300_000))
  files.breaks = [100_000]
  const reader = skein.artifacts.download(id).getReader()
  await reader.read()
  const other = files.add(randomBytes(300_000))
  const kept = files.kept.get(id)
  if (kept) kept.artifact = { ...kept.artifact, sha256: other.sha256 }
  await assert.rejects(
    async () => {
      while (!(await reader.read()).done);
    },
    { kind: 'hash_mismatch', message: /another one/ },
  )
})

for (const [name, announced] of /** @type {const} */ ([['fewer', 1001], ['more', 999]])) {
  test(`a stream with ${name} bytes than it said is no artifact`, limit, async (t) => {
    const { files, skein } = await open(t)
    await assert.rejects(skein.artifacts.upload(streamOf([randomBytes(1000)]), { name: 'x', size: announced }), { name: 'SkeinError', kind: 'size_mismatch' })
    assert.equal(files.kept.get('f1')?.artifact.state, 'uploading')
    await assert.rejects(skein.artifacts.upload(streamOf([]), { name: 'x' }), { kind: 'invalid_params' })
  })
}

test('a download may begin in the middle', limit, async (t) => {
  const { files, skein } = await open(t)
  const bytes = randomBytes(100_000)
  const { id } = files.add(bytes)
  files.breaks = [60_000]
  assert.ok((await all(skein.artifacts.download(id, { offset: 33_333 }))).equals(bytes.subarray(33_333)))
  assert.equal((await all(skein.artifacts.download(id, { offset: 100_000 }))).length, 0)
})

test('a download that nobody reads asks for nothing; one that is cancelled gives its lane up', limit, async (t) => {
  const { peer, files, skein } = await open(t)
  const { id } = files.add(randomBytes(1_000_000))
  /** @type {import('./peer.js').PeerLane[]} */
  const lanes = []
  const serve = peer.onlane
  peer.onlane = (lane, session) => (lane.header.lane === 'bulk' && lanes.push(lane), serve(lane, session))
  const stream = skein.artifacts.download(id)
  await skein.list()
  assert.equal(lanes.length, 0)
  const reader = stream.getReader()
  await reader.read()
  await reader.cancel()
  await lanes[0].over.promise
  assert.equal(skein.connection.session, 's1')
})

test('aborting ends a download that is read, and an upload that waits', limit, async (t) => {
  const { files, skein } = await open(t)
  const { id } = files.add(randomBytes(1_000_000))
  const stop = new AbortController()
  const reader = skein.artifacts.download(id, { signal: stop.signal }).getReader()
  await reader.read()
  const endless = new ReadableStream({ pull: () => new Promise(() => {}) })
  const upload = skein.artifacts.upload(endless, { name: 'x', size: 10, signal: stop.signal })
  await eventually(() => files.begins.length === 2)
  stop.abort()
  await assert.rejects(
    async () => {
      while (!(await reader.read()).done);
    },
    { name: 'AbortError' },
  )
  await assert.rejects(upload, { name: 'AbortError' })
  await assert.rejects(skein.artifacts.upload(new Uint8Array(1), { name: 'x', signal: stop.signal }), { name: 'AbortError' })
})

test("a callback's error is the caller's: nothing is tried again", limit, async (t) => {
  const { files, skein } = await open(t)
  const onprogress = () => {
    throw new Error('a bug')
  }
  await assert.rejects(skein.artifacts.upload(randomBytes(100), { name: 'x', onprogress }), { message: 'a bug' })
  const { id } = files.add(randomBytes(100))
  await assert.rejects(all(skein.artifacts.download(id, { onprogress })), { message: 'a bug' })
  assert.equal(files.begins.length, 2)
})

test('what a stream had sent long ago cannot be sent again', limit, async () => {
  const chunk = new Uint8Array(1 << 20)
  const count = KEPT / chunk.length + 8
  let made = 0
  const stream = new ReadableStream({
    pull: (c) => {
      if (made === count) return c.close()
      const one = chunk.slice()
      one.fill(made++)
      c.enqueue(one)
    },
  })
  const source = sourceOf(stream, count * chunk.length, SkeinError)
  let size = 0
  for await (const piece of source.read(0)) size += piece.length
  assert.equal(size, source.size)
  await assert.rejects(source.read(0).next(), { name: 'SkeinError', kind: 'not_resumable' })
  const from = source.size - KEPT + 5
  let again = 0
  for await (const piece of source.read(from)) {
    if (again === 0) assert.equal(piece[0], count - KEPT / chunk.length)
    again += piece.length
  }
  assert.equal(again, KEPT - 5)
})

test('both ways to hash give the same', async () => {
  const bytes = randomBytes(200_001)
  const own = await Sha256.create()
  const browsers = sha256.create()
  for (let at = 0; at < bytes.length; at += 65_536) {
    own.update(bytes.subarray(at, at + 65_536))
    browsers.update(bytes.subarray(at, at + 65_536))
  }
  assert.equal(own.hex(), Buffer.from(browsers.digest()).toString('hex'))
})
