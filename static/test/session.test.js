import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Skein } from '../client/index.js'
import { Peer } from './peer.js'
import { eventually, until } from './until.js'

const limit = { timeout: 60_000 }
const transports = /** @type {const} */ (['webtransport', 'websocket'])

/**
 * @param {import('node:test').TestContext} t
 * @param {Peer} peer
 * @param {import('../client/index.js').SkeinOptions} [options]
 */
async function open(t, peer, options) {
  const skein = new Skein({ ...peer.options, ...options })
  t.after(() => skein.close())
  await skein.ready
  return skein
}

/** @param {AsyncIterable<any>} events */
async function collect(events) {
  const all = []
  for await (const event of events) all.push(event)
  return all
}

for (const transport of transports) {
  test(`every call, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    const skein = await open(t, peer, { transport })
    const { agents } = await skein.spawn({ type: 'shell', count: 2, argv: ['date'] })
    assert.deepEqual(agents.map((a) => a.id), ['a1', 'a2'])
    assert.equal((await skein.list({ types: ['shell'] })).total, 2)
    assert.equal((await skein.get('a2')).num, 2)
    assert.equal((await skein.types()).length, 1)
    await skein.input('a1', 'ls\n', { eof: true })
    await skein.input('a1', Uint8Array.of(0, 255))
    assert.equal((await skein.stop({ ids: ['a1'] })).reports[0].reason, 'stopped')
    const sent = peer.requests.map((m) => [m.method, m.params])
    assert.deepEqual(sent, [
      ['agent.spawn', { type: 'shell', count: 2, argv: ['date'] }],
      ['agent.list', { types: ['shell'] }],
      ['agent.get', { id: 'a2' }],
      ['types.list', {}],
      ['agent.input', { id: 'a1', text: 'ls\n', eof: true }],
      ['agent.input', { id: 'a1', base64: 'AP8=' }],
      ['agent.stop', { ids: ['a1'] }],
    ])
  })

  test(`events survive twenty lost connections, over ${transport}: none lost, none twice`, limit, async (t) => {
    const peer = new Peer()
    const { id } = peer.spawn('shell')
    const skein = await open(t, peer, { transport })
    const want = Array.from({ length: 400 }, (_, i) => `line ${i}\n`)
    /** @type {string[]} */
    const got = []
    const reading = (async () => {
      for await (const event of skein.events(id)) if (event.type !== 'gap') got.push(event.data.text ?? '')
    })()
    for (let i = 0; i < 20; i++) {
      peer.print(id, ...want.slice(i * 20, i * 20 + 20))
      await eventually(() => got.length > i * 20 + (i % 10))
      peer.session.drop()
    }
    peer.exit(id)
    await reading
    assert.deepEqual(got, want)
    assert.ok(peer.sessions.length > 20)
    assert.ok(new Set(peer.attaches.map((h) => h.after)).size > 10, 'the connection broke between the events, not within')
  })

  test(`a request without an answer is sent again with its id, over ${transport}, and settles once`, limit, async (t) => {
    const peer = new Peer()
    const skein = await open(t, peer, { transport })
    let drops = 2
    peer.onrequest = (session, m) => {
      if (m.method !== 'agent.spawn' || drops === 0) return false
      if (drops-- === 1) {
        // the request is carried out; only its answer is lost
        const key = `${session.hello.client.id} ${JSON.stringify(m.id)}`
        peer.record.set(key, { agents: [peer.spawn('shell')] })
      }
      session.drop()
      return true
    }
    const { agents } = await skein.spawn({ type: 'shell' })
    assert.deepEqual(agents.map((a) => a.id), ['a1'])
    assert.equal(peer.agents.size, 1)
    const spawns = peer.requests.filter((m) => m.method === 'agent.spawn')
    assert.equal(spawns.length, 3)
    assert.deepEqual(spawns[2], spawns[0])
    assert.equal(new Set(peer.sessions.map((s) => s.hello.client.id)).size, 1)
    assert.deepEqual(peer.session.hello.resume, { session: peer.sessions[1].id, epoch: 'e5xk3' })
  })

  test(`the server says goodbye, over ${transport}: the client comes back`, limit, async (t) => {
    const peer = new Peer()
    const skein = await open(t, peer, { transport })
    /** @type {(string | undefined)[]} */
    const told = []
    skein.addEventListener('statechange', () => told.push(skein.lastError?.message))
    const began = performance.now()
    await peer.session.goodbye(3001, 'this node drains', 80)
    await until(skein, 'connectionchange', () => skein.connection.session === 's2')
    assert.ok(performance.now() - began >= 80, 'it came back too early')
    assert.ok(told.includes('this node drains'))
  })

  test(`a final close code ends the client, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    const skein = await open(t, peer, { transport })
    peer.onrequest = () => true
    const waiting = skein.list()
    peer.session.close(3504, 'the login was revoked')
    await assert.rejects(skein.closed, { name: 'CloseError', code: 3504, message: 'the login was revoked' })
    await assert.rejects(waiting, { code: 3504 })
    assert.equal(skein.state, 'closed')
    assert.equal(peer.connects, 1)
  })
}

test('a goodbye may forbid to come back', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.session.goodbye(3000, 'moved for good', -1)
  await assert.rejects(skein.closed, { message: 'moved for good' })
})

test('a carrier that ends without a goodbye is a lost connection', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.session.close(0, '')
  await until(skein, 'connectionchange', () => skein.connection.session === 's2')
})

test('a server that answers no ping is dead', limit, async (t) => {
  const peer = new Peer()
  peer.policy.ping_ms = 20
  const skein = await open(t, peer)
  await until(skein, 'rtt', () => true)
  peer.answersPings = false
  await until(skein, 'statechange', () => skein.state === 'reconnecting')
  await until(skein, 'statechange', () => /did not answer 2 pings/.test(skein.lastError?.message ?? ''))
  peer.answersPings = true
  await until(skein, 'statechange', () => skein.state === 'open')
  assert.equal((await peer.sessions[0].closed).closeCode, 0)
})

test('pauses grow until a session proved healthy', limit, async (t) => {
  const peer = new Peer()
  /** @type {number[]} */
  const attempts = []
  const log = (/** @type {string} */ what, /** @type {any} */ d) => what === 'pause' && attempts.push(d.attempt)
  const skein = await open(t, peer, { log })
  for (let i = 2; i < 5; i++) {
    peer.session.drop()
    await until(skein, 'connectionchange', () => skein.connection.session === `s${i}`)
  }
  peer.policy.healthy_ms = 1
  peer.session.drop()
  await until(skein, 'connectionchange', () => skein.connection.session === 's5')
  await eventually(() => Date.now() - Number(skein.connection.since) > 2)
  peer.session.drop()
  await until(skein, 'connectionchange', () => skein.connection.session === 's6')
  assert.deepEqual(attempts, [1, 2, 3, 4, 1])
})

test('a violation of the protocol ends the session, not the client', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.session.raw('this is no JSON\n')
  assert.equal((await peer.sessions[0].closed).closeCode, 3501)
  await until(skein, 'connectionchange', () => skein.connection.session === 's2')
  assert.equal((await skein.list()).total, 0)
})

test('answers without a request and unknown notifications are ignored', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.session.raw('{"jsonrpc":"2.0","id":4711,"result":{}}\n\n{"jsonrpc":"2.0","method":"of.a.later.version"}\n')
  assert.equal((await skein.list()).total, 0)
  assert.equal(peer.sessions.length, 1)
})

test('errors of the server arrive with kind, code and field', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.onrequest = (session, m) => {
    session.refuse(m, -32602, '"count" must be at most 1000', { kind: 'invalid_params', field: 'count', supported: ['1', '1000'] })
    return true
  }
  await assert.rejects(skein.spawn({ type: 'shell', count: 5000 }), {
    name: 'RpcError',
    kind: 'invalid_params',
    code: -32602,
    field: 'count',
    supported: ['1', '1000'],
    message: '"count" must be at most 1000',
  })
})

test('timeout and signal give up waiting', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.onrequest = () => true
  await assert.rejects(skein.list({}, { timeout: 5 }), { name: 'SkeinError', kind: 'timeout', message: 'agent.list was not answered within 5 ms' })
  const stop = new AbortController()
  const waiting = skein.list({}, { signal: stop.signal })
  stop.abort()
  await assert.rejects(waiting, { name: 'AbortError' })
  await assert.rejects(skein.list({}, { signal: stop.signal }), { name: 'AbortError' })
})

test('a call before the session is there waits for it', limit, async (t) => {
  const peer = new Peer()
  const skein = new Skein(peer.options)
  t.after(() => skein.close())
  assert.equal((await skein.list()).total, 0)
})

test('bounds: a request too large, and too many of them', limit, async (t) => {
  const peer = new Peer()
  peer.onrequest = () => true
  const skein = await open(t, peer)
  await assert.rejects(skein.input('a1', 'x'.repeat(1 << 20)), { name: 'RpcError', kind: 'too_large' })
  const many = Array.from({ length: 1000 }, () => skein.list())
  await assert.rejects(skein.list(), { name: 'SkeinError', kind: 'outbox_full' })
  skein.close()
  const settled = await Promise.allSettled(many)
  assert.ok(settled.every((s) => s.status === 'rejected' && s.reason.kind === 'closed'))
})

test('a spawn that waited longer than the server remembers is not sent again', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  peer.onrequest = () => true
  const spawn = skein.spawn({ type: 'shell' })
  const list = skein.list()
  await eventually(() => peer.requests.length >= 2) // there are more if another transport took over meanwhile
  const spawns = () => peer.requests.filter((m) => m.method === 'agent.spawn').length
  const sent = spawns()
  peer.onrequest = () => false
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 10 * 60_000 })
  peer.session.drop()
  await assert.rejects(spawn, { name: 'SkeinError', kind: 'outcome_unknown' })
  assert.equal((await list).total, 0)
  assert.equal(spawns(), sent)
})

test('without follow the events that are there come, then the end', limit, async (t) => {
  const peer = new Peer()
  const { id } = peer.spawn('shell')
  peer.print(id, ...'abcdefghijkl')
  const skein = await open(t, peer)
  /** @type {any} */
  let end
  const all = await collect(skein.events(id, { follow: false, onend: (e) => (end = e) }))
  assert.equal(all.map((e) => e.data.text).join(''), 'abcdefghijkl')
  assert.equal(end.cursor, all[11].seq)
  const rest = await collect(skein.events(id, { follow: false, after: all[8].seq }))
  assert.equal(rest.map((e) => e.data.text).join(''), 'jkl')
  const tail = await collect(skein.events(id, { follow: false, tail: 2 }))
  assert.equal(tail.map((e) => e.data.text).join(''), 'kl')
})

test('a tail that broke goes on from its cursor', limit, async (t) => {
  const peer = new Peer()
  const { id } = peer.spawn('shell')
  peer.print(id, 'a', 'b', 'c')
  const skein = await open(t, peer)
  const events = skein.events(id, { tail: 1 })
  assert.equal((await next(events)).data.text, 'c')
  peer.session.drop()
  await until(skein, 'connectionchange', () => skein.connection.session === 's2')
  peer.print(id, 'd', 'e')
  assert.equal((await next(events)).data.text, 'd')
  assert.equal((await next(events)).data.text, 'e')
  assert.deepEqual(peer.attaches.map((h) => [h.after, h.tail]), [[undefined, 1], [9, undefined]])
})

/**
 * @param {AsyncGenerator<any>} events
 * @returns {Promise<any>}
 */
async function next(events) {
  return (await events.next()).value
}

test('a new log is reported as a gap', limit, async (t) => {
  const peer = new Peer()
  const { id } = peer.spawn('shell')
  peer.print(id, 'a', 'b')
  const skein = await open(t, peer)
  const events = skein.events(id)
  assert.equal((await next(events)).data.text, 'a')
  assert.equal((await next(events)).data.text, 'b')
  peer.session.drop()
  await until(skein, 'statechange', () => skein.state === 'reconnecting')
  const log = peer.agents.get(id)
  if (log) log.events = []
  peer.epoch = 'another'
  peer.seq = 0
  peer.print(id, 'new')
  assert.deepEqual(await next(events), { type: 'gap', subject: id, after: 6, first: 3, restarted: true })
  assert.equal((await next(events)).data.text, 'new')
  assert.equal(skein.connection.recovered, false)
})

test('events of an unknown agent fail', limit, async (t) => {
  const skein = await open(t, new Peer())
  await assert.rejects(skein.events('a9').next(), { name: 'RpcError', kind: 'not_found' })
})

test('leaving the loop, or aborting it, ends the lane', limit, async (t) => {
  const peer = new Peer()
  const { id } = peer.spawn('shell')
  peer.print(id, 'a')
  const skein = await open(t, peer)
  for await (const event of skein.events(id)) {
    assert.equal(event.type, 'output.stdout')
    break
  }
  const stop = new AbortController()
  const events = skein.events(id, { signal: stop.signal })
  await events.next()
  const waiting = events.next()
  stop.abort()
  await assert.rejects(waiting, { name: 'AbortError' })
  assert.equal((await events.next()).done, true)
})

for (const transport of transports) {
  test(`the fleet follows snapshots, updates and datagrams, over ${transport}`, limit, async (t) => {
    const peer = new Peer()
    peer.spawn('shell')
    const skein = await open(t, peer, { transport })
    const { fleet } = skein
    await until(fleet, 'snapshot', () => fleet.agents.size === 1)
    const record = { num: 1, rev: 2, status: /** @type {const} */ ('exited'), activity: /** @type {const} */ (''), reason: /** @type {const} */ ('failed'), processes: 0, cpu: 0, exitCode: 3, rss: 0, heartbeatMs: 10, lastSeq: 5 }
    peer.session.datagram([record])
    await until(fleet, 'change', () => fleet.agents.get('a1')?.status === 'exited')
    assert.equal(fleet.agents.get('a1')?.exit?.code, 3)
    peer.session.datagramSeq += 2 // two datagrams are lost
    peer.session.datagram([{ ...record, rev: 3 }])
    const log = peer.agents.get('a1')
    if (log) log.agent = { ...log.agent, rev: 9, last_line: 'from the snapshot' }
    await until(fleet, 'snapshot', () => fleet.agents.get('a1')?.last_line === 'from the snapshot')
    assert.deepEqual(peer.session.asked.map((m) => m.method), ['status.resync'])
    peer.session.note('status.update', { removed: ['a1'] })
    await until(fleet, 'change', () => fleet.agents.size === 0)
  })
}

for (const transport of transports) {
  const other = transport === 'webtransport' ? 'websocket' : 'webtransport'
  test(`a client takes another transport while it follows: from ${transport} and back`, limit, async (t) => {
    const peer = new Peer()
    peer.policy.backoff_min_ms = peer.policy.backoff_max_ms = 3_600_000 // nothing must wait for it
    const { id } = peer.spawn('shell')
    const skein = await open(t, peer, { transport })
    /** @type {string[]} */
    const got = []
    const reading = (async () => {
      for await (const event of skein.events(id)) got.push(event.type === 'gap' ? 'gap' : (event.data.text ?? ''))
    })()
    const want = Array.from({ length: 60 }, (_, i) => `line ${i}\n`)
    for (const [i, next] of /** @type {const} */ ([other, transport, other]).entries()) {
      peer.print(id, ...want.slice(i * 20, i * 20 + 20))
      await eventually(() => got.length > i * 20 + 4)
      skein.use(next)
      await until(skein, 'connectionchange', () => skein.connection.transport === next)
    }
    peer.exit(id)
    await reading
    assert.deepEqual(got, want)
    assert.equal(peer.sessions.length, 4)
    assert.deepEqual(await peer.sessions[0].closed, { closeCode: 0, reason: `the page asks for ${other}` })
    assert.ok(skein.trace.some((e) => e.what === 'use'))
  })
}

test('a transport that is asked for ends an attempt that hangs, and a pause', limit, async (t) => {
  const peer = new Peer()
  peer.policy.backoff_min_ms = peer.policy.backoff_max_ms = 3_600_000
  peer.door.webtransport = 'hang'
  const skein = new Skein({ ...peer.options, transport: 'webtransport' })
  t.after(() => skein.close())
  await eventually(() => skein.trace.some((e) => e.what === 'connect') && peer.lastDial)
  skein.use('websocket')
  await skein.ready
  assert.equal(skein.connection.transport, 'websocket')
  peer.door.websocket = 'fail'
  peer.session.drop()
  await until(skein, 'statechange', () => skein.retryAt !== undefined)
  peer.door.webtransport = 'open'
  skein.use('auto')
  await until(skein, 'connectionchange', () => skein.connection.transport === 'webtransport')
})

test('a session that is good enough for what is asked for stays', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  skein.use('webtransport')
  skein.use('auto')
  assert.equal((await skein.list()).total, 0)
  assert.equal(peer.sessions.length, 1)
})

test('the network is asked on the control lane, and again on the next session', limit, async (t) => {
  const peer = new Peer()
  const skein = await open(t, peer)
  let drop = true
  peer.onrequest = (session, m) => {
    if (m.method !== 'session.network') return false
    if (drop) session.drop()
    else session.answer(m, { transport: session.transport, bytes_sent: 1, bytes_received: 2, lanes: [] })
    drop = false
    return true
  }
  assert.deepEqual(await skein.network(), { transport: 'webtransport', bytes_sent: 1, bytes_received: 2, lanes: [] })
  assert.deepEqual(peer.routes.filter((r) => r.endsWith('session.network')), ['control session.network', 'control session.network'])
})
