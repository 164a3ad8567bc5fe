// Tests the library against the real server: bin/skein, or SKEIN_BIN. Node has no WebTransport, so the tests use WebSocket;
// e2e tests both transports in browsers.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { Skein, isTerminal, payloadBytes, payloadText } from '../client/index.js'
import { eventually, until } from './until.js'

const limit = { timeout: 60_000 }
const binary = resolve(process.env.SKEIN_BIN ?? `${import.meta.dirname}/../../bin/skein`)
const fixture = new URL('../../e2e/fixtures/server.js', import.meta.url).href

describe('the real server', { skip: !existsSync(binary) && `${binary} is not built` }, () => {
  /** @type {any} */
  let server
  before(async () => {
    server = new (await import(fixture)).Server()
    await server.start()
  })
  after(() => server.close())

  /**
   * Fetches the server's connect document and shortens the pauses between attempts.
   * @param {Parameters<typeof fetch>[0]} url
   * @param {RequestInit} [init]
   */
  async function impatient(url, init) {
    const response = await fetch(url, init)
    const doc = await response.json()
    Object.assign(doc.policy, { backoff_min_ms: 1, backoff_max_ms: 50 })
    return Response.json(doc, response)
  }

  /**
   * Opens a client, with a function that breaks its connection.
   * @param {import('node:test').TestContext} t
   */
  async function open(t) {
    /** @type {Set<WebSocket>} */
    const sockets = new Set()
    class Breakable extends WebSocket {
      /** @param {string} url @param {string[]} protocols */
      constructor(url, protocols) {
        super(url, protocols)
        sockets.add(this)
        this.on('close', () => sockets.delete(this))
      }
    }
    const skein = new Skein({ url: server.http, token: server.token, WebSocket: /** @type {any} */ (Breakable), fetch: impatient })
    t.after(() => skein.close())
    await skein.ready
    const drop = async () => {
      const { session } = skein.connection
      for (const socket of sockets) socket.terminate()
      await until(skein, 'connectionchange', () => skein.connection.session !== undefined && skein.connection.session !== session)
    }
    return { skein, drop }
  }

  /**
   * Waits for a task's end.
   * @param {Skein} skein
   * @param {string} id
   */
  async function ended(skein, id) {
    for await (const { tasks } of skein.tasks.watch({ filter: { ids: [id] } })) {
      if (tasks?.some((task) => isTerminal(task.state))) break
    }
    return skein.tasks.get(id)
  }

  test('a task is done, with text and with bytes', limit, async (t) => {
    const { skein } = await open(t)
    const text = await skein.tasks.submit({ type: 'shell', argv: ['tr', 'a-z', 'A-Z'], input: 'grüße\n', labels: { of: 'live' } })
    const done = await ended(skein, text.id)
    assert.equal(done.state, 'completed', done.message)
    assert.equal(payloadText(done.result), 'GRüßE\n')
    const bytes = randomBytes(50_000)
    const { id } = await skein.tasks.submit({ type: 'shell', argv: ['cat'], input: bytes })
    assert.ok(bytes.equals(payloadBytes((await ended(skein, id)).result)))
    const { tasks, counts } = await skein.tasks.list({ labels: { of: 'live' } })
    assert.deepEqual(tasks.map((x) => x.id), [text.id])
    assert.ok((counts.completed ?? 0) >= 2)
  })

  test('a task that fails, is retried, and is canceled', limit, async (t) => {
    const { skein } = await open(t)
    const task = await skein.tasks.submit({ type: 'shell', argv: ['sh', '-c', 'exit 3'], retry: { max: 1 } })
    assert.equal((await ended(skein, task.id)).failure, 'agent_error')
    await skein.tasks.retry(task.id)
    assert.equal((await ended(skein, task.id)).attempt, 2)
    const slow = await skein.tasks.submit({ type: 'shell', argv: ['sleep', '100'] })
    assert.deepEqual(await skein.tasks.cancel(slow.id, { reason: 'enough' }), [slow.id])
    assert.equal((await ended(skein, slow.id)).state, 'canceled')
    await assert.rejects(skein.tasks.get('tnone'), { name: 'RpcError', kind: 'not_found' })
    await assert.rejects(skein.tasks.submit({ type: 'shell', argv: ['true'], priority: /** @type {any} */ ('urgent') }), { kind: 'invalid_params', field: 'priority' })
  })

  test('a submit that is cut off is one task; a watch goes on over lost connections', limit, async (t) => {
    const { skein, drop } = await open(t)
    /** @type {Map<string, string>} */
    const states = new Map()
    let resets = 0
    const stop = new AbortController()
    const watching = (async () => {
      for await (const { tasks, reset } of skein.tasks.watch({ filter: { labels: { of: 'cut' } }, signal: stop.signal })) {
        if (reset) resets++
        for (const task of tasks ?? []) states.set(task.id, task.state)
      }
    })()
    /** @type {string[]} */
    const ids = []
    for (let i = 0; i < 5; i++) {
      const submitted = skein.tasks.submit({ type: 'shell', argv: ['echo', `${i}`], labels: { of: 'cut' } })
      await drop()
      ids.push((await submitted).id)
    }
    await eventually(() => ids.every((id) => states.get(id) === 'completed'))
    assert.equal((await skein.tasks.list({ labels: { of: 'cut' } })).total, 5)
    assert.equal(resets, 1)
    stop.abort()
    await assert.rejects(watching, { name: 'AbortError' })
  })

  test('an orchestration: results in the order of completion over a lost connection, and the aggregate', limit, async (t) => {
    const { skein, drop } = await open(t)
    const whole = await skein.tasks.orchestrate({
      task: { type: 'shell', argv: ['sh', '-c', 'read n; sleep 0.$n; echo "$n!"'] },
      inputs: ['3\n', '1\n', '2\n'],
    })
    const results = skein.tasks.results(whole.id)
    const got = []
    for await (const result of results) {
      got.push(result)
      if (got.length === 1) await drop()
    }
    assert.deepEqual(got.map((r) => r.ordinal), [1, 2, 3])
    assert.deepEqual(got.map((r) => payloadText(r.output)).sort(), ['1!\n', '2!\n', '3!\n'])
    const { state, result } = await results.aggregate()
    assert.equal(state, 'completed')
    assert.deepEqual(JSON.parse(payloadText(result)).map((/** @type {any} */ r) => payloadText(r.output)), ['3!\n', '1!\n', '2!\n'])
  })

  test('a program is an agent: it does tasks, asks, remembers, prints, and loses nothing over lost connections', limit, async (t) => {
    const { skein: boss } = await open(t)
    const { skein, drop } = await open(t)
    /** @type {Record<string, number>} */
    const times = {}
    let joins = 0
    const worker = await skein.serve({ name: 'far', capabilities: ['shout'], concurrency: 4, onjoin: () => joins++ }, async (task) => {
      times[task.input] = (times[task.input] ?? 0) + 1
      if (task.input === 'bytes') return new Uint8Array([0, 255])
      if (task.input === 'json') return { answer: 42 }
      if (task.input === 'fail') throw new Error('it can not be done')
      if (task.input === 'ask') return (await task.ask('which one?')).text
      if (task.input === 'wait') return new Promise((_, reject) => task.signal.addEventListener('abort', () => reject(task.signal.reason)))
      task.progress('at it', 0.5)
      task.print(`doing ${task.input}\n`)
      await task.memory.store({ namespace: 'shared', key: `far-${task.input}`, value: task.input })
      if (Number(task.input) % 5 === 0) void drop()
      await task.memory.store({ namespace: 'shared', key: `far-${task.input}`, value: 'again' })
      return task.input.toUpperCase()
    })
    t.after(() => worker.close())
    const agent = await boss.get(worker.agent)
    assert.equal(agent.kind, 'remote')
    assert.equal(agent.name, 'far')
    /** @param {string} input */
    const task = async (input) => ended(boss, (await boss.tasks.submit({ capabilities: ['shout'], input })).id)
    assert.deepEqual([...payloadBytes((await task('bytes')).result)], [0, 255])
    assert.equal(payloadText((await task('json')).result), '{"answer":42}')
    const failed = await task('fail')
    assert.equal(failed.message, 'it can not be done')
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => task(String(i))))
    for (const [i, done] of many.entries()) {
      assert.equal(done.state, 'completed', done.message)
      assert.equal(done.attempt, 1)
      assert.equal(payloadText(done.result), String(i))
      assert.equal(times[i], 1)
      assert.equal((await boss.memory.history({ namespace: 'shared', key: `far-${i}` })).length, 2)
    }
    assert.ok(joins > 1, 'nothing was cut')
    const { events } = await boss.readEvents(worker.agent, { which: 'output', limit: 1000 })
    assert.ok(events.some((e) => e.data.text === 'doing 7\n'))

    const asking = await boss.tasks.submit({ agent: worker.agent, input: 'ask' })
    for (let since = ''; ; ) {
      const { asks, position } = await boss.asks({ agent: worker.agent, since, wait_ms: 5000 })
      since = position
      if (asks.length === 0) continue
      assert.equal(asks[0].task, asking.id)
      await boss.answer({ id: asks[0].id, prompt: asks[0].prompt, text: 'this one' })
      break
    }
    assert.equal(payloadText((await ended(boss, asking.id)).result), 'this one')

    const waiting = await boss.tasks.submit({ agent: worker.agent, input: 'wait' })
    while ((await boss.tasks.get(waiting.id)).state !== 'working');
    await boss.tasks.cancel([waiting.id])
    while ((await boss.get(worker.agent)).tasks);

    await worker.drain()
    const gone = await boss.get(worker.agent)
    assert.equal(gone.reason, 'completed')
  })

  test('a program that is stopped knows it; one that nobody may be is refused', limit, async (t) => {
    const { skein } = await open(t)
    let aborted = false
    const worker = await skein.serve({ type: 'remote' }, (task) => new Promise((_, reject) => task.signal.addEventListener('abort', () => reject((aborted = true, task.signal.reason)))))
    const { id } = await skein.tasks.submit({ agent: worker.agent })
    while ((await skein.tasks.get(id)).state !== 'working');
    const { reports } = await skein.stop({ ids: [worker.agent] })
    assert.equal(reports[0].status, 'exited')
    assert.ok(!reports[0].forced)
    assert.equal(await worker.ended, 'stopped')
    assert.ok(aborted)
    await assert.rejects(skein.serve({ type: 'shell' }, () => ''), { kind: 'failed_precondition' })
    await assert.rejects(skein.serve({ type: 'nobody' }, () => ''), { kind: 'not_found' })
  })

  test('admission is closed and opened, and the fleet tells', limit, async (t) => {
    const { skein } = await open(t)
    const { fleet } = skein
    await until(fleet, 'admission', () => fleet.admission?.closed === false)
    await skein.admission.set({ type: 'shell', closed: true, reason: 'a test' })
    await until(fleet, 'admission', () => fleet.admission?.types?.includes('shell') === true)
    const task = await skein.tasks.submit({ type: 'shell', argv: ['true'] })
    await assert.rejects(skein.spawn({ type: 'shell', argv: ['true'] }), { kind: 'unavailable' })
    assert.equal((await skein.tasks.get(task.id)).state, 'submitted')
    await skein.admission.set({ type: 'shell', closed: false })
    assert.equal((await ended(skein, task.id)).state, 'completed')
    assert.deepEqual((await skein.admission.get()).types ?? [], [])
  })

  test('a stop of a task ends its process', limit, async (t) => {
    const { skein } = await open(t)
    const { id } = await skein.tasks.submit({ type: 'shell', argv: ['sleep', '100'] })
    await eventually(() => [...skein.fleet.agents.values()].some((a) => a.for_task === id && a.process !== undefined))
    const { reports, canceled } = await skein.stop({ scope: 'task', tasks: [id] })
    assert.deepEqual(canceled, [id])
    assert.equal(reports.length, 1)
    assert.equal((await skein.get(reports[0].id)).status, 'exited')
  })

  for (const [name, make] of /** @type {[string, (b: Buffer) => any][]} */ ([
    ['a Blob', (b) => new Blob([/** @type {any} */ (b)], { type: 'text/plain' })],
    ['a stream', (b) => new Blob([/** @type {any} */ (b)]).stream()],
  ])) {
    test(`${name} is uploaded and downloaded over lost connections`, limit, async (t) => {
      const { skein, drop } = await open(t)
      const bytes = randomBytes(30 << 20)
      let drops = 0
      /** @type {Promise<void>[]} */
      const dropping = []
      const onprogress = (/** @type {{loaded: number}} */ { loaded }) => {
        if (loaded > (drops + 1) * (8 << 20) && drops < 3) {
          drops++
          dropping.push(drop())
        }
      }
      const artifact = await skein.artifacts.upload(make(bytes), { name: 'live.bin', size: bytes.length, onprogress })
      assert.deepEqual([artifact.state, artifact.size, artifact.sha256], ['complete', bytes.length, createHash('sha256').update(bytes).digest('hex')])
      if (name === 'a Blob') assert.equal(artifact.media_type, 'text/plain')
      assert.equal(drops, 3)
      await Promise.all(dropping)
      drops = 0
      const got = Buffer.from(await new Response(skein.artifacts.download(artifact.id, { onprogress })).arrayBuffer())
      assert.ok(got.equals(bytes))
      assert.equal(drops, 3)
      await Promise.all(dropping)
      const tail = Buffer.from(await new Response(skein.artifacts.download(artifact.id, { offset: 12_345_678 })).arrayBuffer())
      assert.ok(tail.equals(bytes.subarray(12_345_678)))
      await skein.artifacts.delete(artifact.id)
      await assert.rejects(new Response(skein.artifacts.download(artifact.id)).text(), { name: 'RpcError', kind: 'not_found' })
    })
  }

  test('an interrupted upload is listed, and continued by another client', limit, async (t) => {
    const one = await open(t)
    const bytes = randomBytes(8 << 20)
    const { id } = await one.skein.artifacts.create({ name: 'half.bin', size: bytes.length })
    const stop = new AbortController()
    const left = one.skein.artifacts.upload(bytes, { artifact: id, signal: stop.signal, onprogress: ({ loaded }) => loaded > 5 << 20 && stop.abort() })
    await assert.rejects(left, { name: 'AbortError' })
    one.skein.close()
    const { skein } = await open(t)
    const [record] = (await skein.artifacts.list({ query: 'half.bin' })).artifacts
    assert.deepEqual([record.id, record.state], [id, 'uploading'])
    await assert.rejects(new Response(skein.artifacts.download(id)).text(), { kind: 'failed_precondition' })
    let first = -1
    const artifact = await skein.artifacts.upload(new Blob([bytes]), { artifact: id, onprogress: ({ loaded }) => void (first < 0 && (first = loaded)) })
    assert.ok(first > 0, 'it began at the beginning')
    assert.equal(artifact.sha256, createHash('sha256').update(bytes).digest('hex'))
  })

  test('a file that is not what was announced is refused', limit, async (t) => {
    const { skein } = await open(t)
    const sum = createHash('sha256').update('other bytes').digest('hex')
    const { id } = await skein.artifacts.create({ name: 'x', size: 5, sha256: sum })
    await assert.rejects(skein.artifacts.upload(Buffer.from('bytes'), { artifact: id }), { name: 'RpcError' })
    await assert.rejects(skein.artifacts.upload(Buffer.from('x'), { name: '' }), { name: 'RpcError', kind: 'invalid_params', field: 'name' })
  })

  test('memory: a compare-and-set, a list in pages, search, history, many at once, an expiry', limit, async (t) => {
    const { skein } = await open(t)
    const { memory } = skein
    const namespace = 'live'
    const first = await memory.store({ namespace, key: 'plan', value: 'ask the fox', if_revision: 0 })
    const second = await memory.store({ namespace, key: 'plan', value: 'ask the hound', if_revision: first.revision })
    await assert.rejects(memory.store({ namespace, key: 'plan', value: 'mine', if_revision: first.revision }), (/** @type {any} */ e) => {
      assert.deepEqual([e.kind, e.data.entry.revision, payloadText(e.data.entry.value)], ['conflict', second.revision, 'ask the hound'])
      return true
    })
    assert.deepEqual((await memory.history({ namespace, key: 'plan' })).map((e) => payloadText(e.value)), ['ask the hound', 'ask the fox'])
    assert.deepEqual((await memory.search({ query: 'hound', namespaces: [namespace] })).hits.map((h) => h.entry.key), ['plan'])

    const keys = Array.from({ length: 700 }, (_, i) => `many/${String(i).padStart(3, '0')}`)
    const stored = await memory.setMany(keys.map((key) => ({ namespace, key, value: `of ${key}` })))
    assert.deepEqual(stored.filter((r) => r.error), [])
    /** @type {string[]} */
    const listed = []
    for await (const { entries, total } of memory.list({ namespace, prefix: 'many/', limit: 300 })) {
      assert.equal(total, 700)
      listed.push(...entries.map((e) => e.key))
    }
    assert.deepEqual(listed, keys)
    const big = randomBytes(500_000)
    await memory.setMany([0, 1, 2].map((i) => ({ namespace, key: `big/${i}`, value: big })))
    const got = await memory.getMany(['big/0', 'big/1', 'many/007', 'big/2', 'none'].map((key) => ({ namespace, key })))
    assert.deepEqual(got.map((r) => r.error?.data?.kind ?? payloadBytes(r.entry?.value).length), [500_000, 500_000, 11, 500_000, 'not_found'])
    assert.ok(big.equals(payloadBytes(got[3].entry?.value)))

    await memory.store({ namespace, key: 'soon', value: 'here' })
    for await (const { entries } of memory.watch({ namespace, prefix: 'soon', values: true })) {
      if (entries.some((e) => e.deleted)) break
      if (entries.some((e) => payloadText(e.value) === 'here')) await memory.store({ namespace, key: 'soon', value: 'gone', ttl: 300 }) // now that it is watched
    }
    await assert.rejects(memory.retrieve({ namespace, key: 'soon' }), { kind: 'not_found' })
    assert.equal(await memory.delete({ namespace, key: 'plan', if_revision: second.revision }), true)
    assert.equal(await memory.delete({ namespace, key: 'plan' }), false)
    assert.equal((await memory.namespaces()).find((n) => n.name === namespace)?.keys, 703)
  })

  test('a line far back is found in the whole log, with the lines around it', limit, async (t) => {
    const { skein } = await open(t)
    const script = 'i=0; while [ $i -lt 12000 ]; do i=$((i+1)); printf "line \\033[32m%s\\033[0m\\n" $i; done'
    const { agents } = await skein.spawn({ type: 'shell', argv: ['sh', '-c', script] })
    const { id } = agents[0]
    for await (const _ of skein.events(id)); // until it ends
    const one = await skein.searchEvents(id, '^LINE 17$', { regexp: true })
    assert.deepEqual(one.matches.map(({ line, type, column, from, to }) => [line, type, column, from, to]), [['line 17', 'output.stdout', 1, 0, 7]])
    assert.equal(one.more, false)
    assert.equal((await skein.searchEvents(id, 'LINE 17', { case: true })).matches.length, 0)
    await assert.rejects(skein.searchEvents(id, '(', { regexp: true }), { kind: 'invalid_params', message: /regular expression/ })

    /** @type {string[]} */
    const lines = []
    for (let at = {}, more = true; more; ) {
      const found = await skein.searchEvents(id, 'line', { limit: 1000, ...at })
      lines.push(...found.matches.map((m) => m.line))
      ;({ more } = found)
      at = { after: found.cursor, offset: found.offset }
    }
    assert.deepEqual(lines, Array.from({ length: 12000 }, (_, i) => `line ${i + 1}`))

    const [hit] = one.matches
    const around = await skein.readEvents(id, { which: 'output', after: hit.seq - 1, limit: 1 })
    assert.equal(around.events[0].seq, hit.seq)
    const rest = Buffer.from(around.events[0].data.text ?? '').subarray(hit.offset).toString()
    assert.ok(rest.startsWith('line \x1b[32m17\x1b[0m\n'), rest.slice(0, 50))
    const last = await skein.readEvents(id, { which: 'lifecycle', newest: true, limit: 2 })
    assert.deepEqual(last.events.map((e) => e.type), ['agent.started', 'agent.exited'])
    assert.deepEqual([last.more, last.last], [true, last.events[1].seq])
  })

  test('memory is watched over lost connections, and over a restart of the server: every value, in order, none twice', limit, async (t) => {
    const { skein, drop } = await open(t)
    const stop = new AbortController()
    /** @type {[number, string][]} */
    const got = []
    const watching = (async () => {
      for await (const { entries } of skein.memory.watch({ namespace: 'watched', values: true, signal: stop.signal })) {
        for (const e of entries) got.push([e.revision, e.deleted ? 'deleted' : payloadText(e.value)])
      }
    })()
    await skein.memory.store({ namespace: 'watched', key: 'k', value: 'first' })
    await eventually(() => got.length === 1)
    for (let i = 0; i < 9; i++) {
      const stored = skein.memory.store({ namespace: 'watched', key: 'k', value: `${i}` })
      if (i % 3 === 1) await drop()
      if (i === 5) {
        await stored
        await server.stop()
        await server.start()
      }
      await stored
    }
    await skein.memory.delete({ namespace: 'watched', key: 'k' })
    await eventually(() => got.at(-1)?.[1] === 'deleted')
    assert.deepEqual(got.map(([, value]) => value), ['first', '0', '1', '2', '3', '4', '5', '6', '7', '8', 'deleted'])
    assert.deepEqual(got, [...got].sort(([a], [b]) => a - b))
    stop.abort()
    await assert.rejects(watching, { name: 'AbortError' })
  })
})
