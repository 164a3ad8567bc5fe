import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_POLICY, RACE_TIMEOUT_MS, race } from '../client/connect.js'
import { Skein } from '../client/index.js'
import { Peer } from './peer.js'
import { until } from './until.js'

const limit = { timeout: 60_000 }

/**
 * @param {import('node:test').TestContext} t
 * @param {Peer} peer
 * @param {import('../client/index.js').SkeinOptions} [options]
 */
function open(t, peer, options) {
  const skein = new Skein({ ...peer.options, ...options })
  t.after(() => skein.close())
  return skein
}

test('WebTransport answers first: no other endpoint is tried', limit, async (t) => {
  const peer = new Peer()
  peer.policy.race_delay_ms = 60_000
  const skein = open(t, peer)
  assert.equal(skein.state, 'connecting')
  await skein.ready
  assert.equal(skein.state, 'open')
  const { transport, reason, session, epoch, since } = skein.connection
  assert.deepEqual({ transport, reason, session, epoch }, { transport: 'webtransport', reason: '', session: 's1', epoch: 'e5xk3' })
  assert.ok(since instanceof Date)
  await until(skein, 'rtt', () => skein.connection.rtt !== undefined)
  assert.equal(peer.sessions.length, 1)
  assert.deepEqual(peer.session.hello.versions, ['skein.v1'])
  assert.equal(peer.session.hello.ticket, 't1-0')
  assert.ok(peer.session.hello.client.id.length >= 16)
})

test('the connect document is fetched with the cookie, or with a token', limit, async (t) => {
  const peer = new Peer()
  await open(t, peer).ready
  assert.equal(peer.lastConnect.url, 'http://localhost:4480/connect')
  assert.equal(peer.lastConnect.method, 'POST')
  assert.equal(peer.lastConnect.credentials, 'same-origin')
  await open(t, peer, { token: 'secret' }).ready
  assert.equal(peer.lastConnect.headers.Authorization, 'Bearer secret')
})

test('certificate hashes reach the browser as bytes', limit, async (t) => {
  const peer = new Peer()
  const hash = { algorithm: 'sha-256', value: Buffer.alloc(32, 7).toString('base64') }
  Object.assign(peer.doors[0], { certificate_hashes: [hash] })
  await open(t, peer).ready
  const { serverCertificateHashes, requireUnreliable } = peer.lastDial.options
  assert.deepEqual(serverCertificateHashes, [{ algorithm: 'sha-256', value: new Uint8Array(32).fill(7) }])
  assert.equal(requireUnreliable, true)
})

test('UDP is blocked: WebSocket joins after the delay and wins', limit, async (t) => {
  const peer = new Peer()
  peer.door.webtransport = 'hang'
  const skein = open(t, peer)
  await skein.ready
  assert.equal(skein.connection.transport, 'websocket')
  assert.equal(skein.connection.reason, 'WebTransport did not answer within 30 ms (is UDP blocked?)')
  assert.equal(peer.session.hello.ticket, 't1-1')
  assert.equal((await skein.types())[0].name, 'shell')
})

test('WebTransport connects but its hello is never answered: WebSocket wins, the other is closed', limit, async (t) => {
  const peer = new Peer()
  peer.policy.race_delay_ms = 30
  peer.onhello = (session) => (session.transport === 'webtransport' ? 'silence' : undefined)
  const skein = open(t, peer)
  await skein.ready
  assert.equal(skein.connection.transport, 'websocket')
  assert.equal((await peer.sessions[0].closed).closeCode, 0)
  assert.equal((await skein.list()).total, 0)
})

test('WebTransport fails early: WebSocket does not wait', limit, async (t) => {
  const peer = new Peer()
  peer.policy.race_delay_ms = 60_000
  peer.door.webtransport = 'fail'
  const skein = open(t, peer)
  await skein.ready
  assert.equal(skein.connection.transport, 'websocket')
  assert.equal(skein.connection.reason, 'WebTransport failed: Connection lost.')
})

test('WebTransport answers although WebSocket joined: the loser is closed', limit, async (t) => {
  const peer = new Peer()
  peer.policy.race_delay_ms = 1
  peer.door.websocket = 'hang'
  peer.onhello = (session, hello) => {
    setTimeout(() => session.answer({ jsonrpc: '2.0', id: 1 }, welcome(peer, hello)), 20)
    return 'silence'
  }
  const skein = open(t, peer)
  await skein.ready
  assert.equal(skein.connection.transport, 'webtransport')
  assert.equal(skein.connection.reason, '')
})

/** @param {Peer} peer @param {any} _hello */
function welcome(peer, _hello) {
  const limits = { max_message: 1 << 20, max_streams: 1000, max_batch: 1000, max_input: 256 << 10, max_datagram: 1100 }
  return { version: 'skein.v1', session: 's1', epoch: peer.epoch, recovered: false, node: 'node-1', server: 'test', limits }
}

for (const [name, options, reason] of /** @type {const} */ ([
  ['asked for', { transport: 'websocket' }, 'asked for by the page'],
  ['switched off', { WebTransport: null }, 'switched off by the page'],
  ['not there', { WebTransport: undefined }, 'this JavaScript runtime has no WebTransport'],
])) {
  test(`WebSocket at once, ${name}`, limit, async (t) => {
    const peer = new Peer()
    peer.policy.race_delay_ms = 60_000
    const skein = open(t, peer, options)
    await skein.ready
    assert.equal(skein.connection.transport, 'websocket')
    assert.equal(skein.connection.reason, reason)
  })
}

/**
 * Makes this runtime look like Deno with --unstable-net.
 * @param {import('node:test').TestContext} t
 * @param {Peer} peer
 */
function asDeno(t, peer) {
  const { WebTransport } = peer
  Object.assign(globalThis, { Deno: {}, WebTransport })
  t.after(() => ['Deno', 'WebTransport'].forEach((name) => Reflect.deleteProperty(globalThis, name)))
}

test("Deno's own WebTransport is left out, and the client says why", limit, async (t) => {
  const peer = new Peer()
  asDeno(t, peer)
  peer.policy.race_delay_ms = 60_000
  const skein = open(t, peer, { WebTransport: undefined })
  await skein.ready
  assert.equal(skein.connection.transport, 'websocket')
  assert.equal(skein.connection.reason, "Deno's WebTransport does not end streams")
  assert.deepEqual(skein.trace.filter(({ what }) => what === 'open').map(({ detail }) => /** @type {any} */ (detail).reason), [skein.connection.reason])
  await assert.rejects(open(t, peer, { WebTransport: undefined, transport: 'webtransport' }).ready, {
    kind: 'no_transport',
    message: "webtransport was asked for, but Deno's WebTransport does not end streams",
  })
})

test('on Deno a program may bring a WebTransport, its own too', limit, async (t) => {
  const peer = new Peer()
  asDeno(t, peer)
  const skein = open(t, peer, { WebTransport: globalThis.WebTransport })
  await skein.ready
  assert.equal(skein.connection.transport, 'webtransport')
})

const selfSigned = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' })
const refused = Object.assign(new Error(''), { code: 'ECONNREFUSED', errors: [new Error('connect ECONNREFUSED ::1:4480')] })
const deno = new Error('error sending request: client error (Connect): invalid peer certificate: UnknownIssuer')
for (const [name, error, kind, told] of /** @type {[string, any, string, RegExp][]} */ ([
  ['Node, self-signed', new TypeError('fetch failed', { cause: selfSigned }), 'untrusted_certificate', /not trusted here \(self-signed certificate\): .*http address.*--tls-cert.*NODE_EXTRA_CA_CERTS=FILE/],
  ['Node, over', new TypeError('fetch failed', { cause: expired }), 'untrusted_certificate', /not trusted here \(certificate has expired\)/],
  ['Bun', Object.assign(new TypeError('unable to verify the first certificate'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), 'untrusted_certificate', /unable to verify/],
  ['Deno', new TypeError('fetch failed', { cause: deno }), 'untrusted_certificate', /UnknownIssuer/],
  ['nobody there', new TypeError('fetch failed', { cause: refused }), 'connect_failed', /out of reach: connect ECONNREFUSED ::1:4480$/],
  ['a browser', new TypeError('Failed to fetch'), 'connect_failed', /out of reach: Failed to fetch$/],
])) {
  test(`a fetch that failed names its cause: ${name}`, limit, async (t) => {
    const peer = new Peer()
    /** @type {any} */
    let broken = error
    const fetch = async (/** @type {any[]} */ ...args) => {
      if (broken) throw broken
      return peer.fetch(...args)
    }
    const skein = open(t, peer, { fetch: /** @type {any} */ (fetch) })
    const first = await Promise.race([skein.closed.catch((e) => e), until(skein, 'statechange', () => skein.lastError !== undefined).then(() => skein.lastError)])
    assert.equal(first.kind, kind)
    assert.match(first.message, told)
    assert.equal(first.cause, error)
    assert.equal(skein.state, kind === 'connect_failed' ? 'connecting' : 'closed')

    broken = undefined
    const other = open(t, peer, { fetch: /** @type {any} */ (fetch) })
    await other.ready
    broken = error
    peer.session.drop() // a client that has had a session waits until the server is as before
    await until(other, 'statechange', () => /** @type {any} */ (other.lastError)?.kind === kind)
    broken = undefined
    await until(other, 'statechange', () => other.state === 'open')
  })
}

test('the server offers no WebTransport', limit, async (t) => {
  const peer = new Peer()
  peer.doors.shift()
  const skein = open(t, peer)
  await skein.ready
  assert.equal(skein.connection.reason, 'the server offers no WebTransport')
})

for (const [url, fetched, socket] of [
  ['http://localhost:4480', 'http://localhost:4480/connect', 'ws://localhost:4480/ws'],
  ['https://skein.example.com/', 'https://skein.example.com/connect', 'wss://skein.example.com/ws'],
  ['https://ops.example.com/tools/skein', 'https://ops.example.com/tools/skein/connect', 'wss://ops.example.com/tools/skein/ws'],
  ['https://ops.example.com/tools/skein/?a#b', 'https://ops.example.com/tools/skein/connect', 'wss://ops.example.com/tools/skein/ws'],
]) {
  test(`a WebSocket goes the way of the document: ${url}`, limit, async (t) => {
    const peer = new Peer()
    peer.doors = [{ transport: 'websocket', url: new URL(socket).pathname }]
    await open(t, peer, { url }).ready
    assert.equal(peer.lastConnect.url, fetched)
    assert.equal(peer.lastSocket, socket)
  })
}

test('an origin that is not allowed has its own kind of error, and is final', limit, async (t) => {
  const peer = new Peer()
  const message = 'pages of https://ops.example may not open sessions here: allow them with --allow-origin https://ops.example'
  peer.onconnect = () => Response.json({ error: { code: -32012, message, data: { kind: 'origin_not_allowed' } } }, { status: 403 })
  const skein = open(t, peer)
  await assert.rejects(skein.ready, (/** @type {any} */ e) => e.kind === 'origin_not_allowed' && e.final && e.code === 403 && e.message === message)
  await assert.rejects(skein.closed, { kind: 'origin_not_allowed' })
  assert.equal(skein.state, 'closed')
  assert.equal(peer.connects, 1)
})

test('of several endpoints of one transport the next is tried when one failed', limit, async (t) => {
  const peer = new Peer()
  peer.doors = [{ ...peer.doors[0], url: 'https://[::1]:4433/wt' }, peer.doors[0]]
  /** @type {any} */
  const Real = peer.WebTransport
  class OneBroken {
    /** @param {string} url @param {any} options */
    constructor(url, options) {
      if (url.includes('[::1]')) throw new Error('no route')
      return new Real(url, options)
    }
  }
  const skein = open(t, peer, { WebTransport: /** @type {any} */ (OneBroken) })
  await skein.ready
  assert.equal(peer.lastDial.url, 'https://127.0.0.1:4433/wt')
  assert.equal(peer.session.hello.ticket, 't1-1')
})

test('WebTransport was asked for and is not there: that is final', limit, async (t) => {
  const skein = open(t, new Peer(), { transport: 'webtransport', WebTransport: null })
  await assert.rejects(skein.ready, { name: 'ConnectError', kind: 'no_transport' })
  await assert.rejects(skein.closed, /webtransport was asked for, but switched off by the page/)
  assert.equal(skein.state, 'closed')
})

test('a refused login is final', limit, async (t) => {
  const peer = new Peer()
  peer.onconnect = () => Response.json({ error: { code: -32001, message: 'not signed in' } }, { status: 401 })
  const skein = open(t, peer)
  await assert.rejects(skein.closed, { name: 'ConnectError', kind: 'unauthorized', code: 401, message: 'not signed in' })
  await assert.rejects(skein.list(), { kind: 'unauthorized' })
  await assert.rejects(skein.events('a1').next(), { kind: 'unauthorized' })
  assert.equal(peer.connects, 1)
})

test('a server that is out of order is asked again', limit, async (t) => {
  const peer = new Peer()
  const answers = [
    () => Response.json({ error: 'x' }, { status: 503 }),
    () => new Response('<html>', { status: 200 }),
    () => Response.json({ hello: 'world' }),
    () => {
      throw new TypeError('fetch failed')
    },
  ]
  peer.onconnect = () => answers.shift()?.()
  const skein = open(t, peer)
  /** @type {string[]} */
  const told = []
  skein.addEventListener('statechange', () => skein.lastError && told.push(skein.lastError.message))
  await skein.ready
  assert.equal(peer.connects, 5)
  assert.equal(skein.lastError, undefined)
  assert.match(told.join('\n'), /answered 503[^]*is not Skein[^]*is not Skein[^]*out of reach: fetch failed/)
})

const portal = '<!doctype html><title>Hotel Sea View</title><form action="/login">'
for (const [name, answer] of /** @type {[string, () => Response][]} */ ([
  ['with its page', () => new Response(portal, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } })],
  ['with its page, as a refusal', () => new Response(portal, { status: 403, headers: { 'content-type': 'text/html' } })],
  ['with its page, as a login', () => new Response(portal, { status: 401, headers: { 'content-type': 'Text/HTML' } })],
  ['with the way to it', () => new Response('', { status: 302, headers: { location: 'http://portal.example/' } })],
  ['with the way to it, of which a browser tells nothing', () => /** @type {any} */ ({ type: 'opaqueredirect', ok: false, status: 0, headers: new Headers(), body: null })],
  ['in words', () => new Response('', { status: 511 })],
  ['with a page that has no type', () => new Response(new TextEncoder().encode(portal), { status: 200 })],
])) {
  test(`a captive portal answers ${name}: the client says what to do, and is there when the portal is gone`, limit, async (t) => {
    const peer = new Peer()
    peer.onconnect = () => (peer.connects <= 2 ? answer() : undefined)
    const skein = open(t, peer)
    /** @type {Error[]} */
    const told = []
    skein.addEventListener('statechange', () => skein.lastError && told.push(skein.lastError))
    await skein.ready
    assert.equal(peer.connects, 3)
    assert.equal(peer.lastConnect.redirect, 'manual')
    for (const e of told) assert.deepEqual([/** @type {any} */ (e).kind, /is not Skein: .*sign in there/.test(e.message)], ['not_skein', true], e.message)
    assert.equal(told.length, 2)
  })
}

test('the error tells an endpoint that opens but is silent from one that does not open', limit, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const doors = /** @type {any[]} */ ([{ transport: 'webtransport', url: 'https://a/wt' }, { transport: 'websocket', url: 'wss://a/ws' }])
  const racing = race(/** @type {any} */ ({ doors, policy: DEFAULT_POLICY }), {
    transport: 'auto',
    open: (endpoint, signal, connected) => {
      if (endpoint.transport === 'websocket') connected()
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
    signal: new AbortController().signal,
  })
  t.mock.timers.tick(RACE_TIMEOUT_MS)
  await assert.rejects(racing, {
    kind: 'connect_failed',
    message: 'webtransport: no answer within 15000 ms; websocket: it opened, but nothing came through it within 15000 ms (is a proxy in between that lets nothing through?)',
  })
})

test('a server of another version is final', limit, async (t) => {
  const peer = new Peer()
  peer.onconnect = () => Response.json({ version: 'skein.v9', doors: [], policy: {} })
  await assert.rejects(open(t, peer).closed, { kind: 'unsupported_version' })
})

const unauthorized = { code: -32001, message: 'the ticket is unknown or was used', data: { kind: 'unauthorized' } }

test('one endpoint refuses, the other does not: it opens', limit, async (t) => {
  const peer = new Peer()
  peer.onhello = (session) => (session.transport === 'webtransport' ? { error: unauthorized } : undefined)
  const skein = open(t, peer)
  await skein.ready
  assert.equal(skein.connection.transport, 'websocket')
  assert.equal(skein.connection.reason, 'WebTransport failed: the ticket is unknown or was used')
})

const expiredTicket = { code: -32010, message: 'the ticket expired', data: { kind: 'ticket_expired' } }
const other = { code: -32009, message: 'another version', data: { kind: 'unsupported_version' } }

/** @param {Skein} skein */
const pauses = (skein) => skein.trace.filter(({ what }) => what === 'pause').length

for (const transport of /** @type {const} */ (['auto', 'webtransport', 'websocket'])) {
  for (const [error, close] of /** @type {const} */ ([[unauthorized, 3500], [expiredTicket, 3005]])) {
    test(`a ticket that is ${error.data.kind} is fetched anew, at once the first time, over ${transport}`, limit, async (t) => {
      const peer = new Peer()
      peer.onhello = () => (peer.connects < 6 ? { error, close } : undefined)
      const skein = open(t, peer, { transport })
      await skein.ready
      assert.match(peer.session.hello.ticket, /^t6-/)
      assert.equal(pauses(skein), 2, 'two documents an attempt')
      const { id } = peer.session
      peer.onhello = () => (peer.connects < 8 ? { error, close } : undefined)
      peer.session.drop()
      await until(skein, 'connectionchange', () => ![undefined, id].includes(skein.connection.session))
      assert.match(peer.session.hello.ticket, /^t8-/)
      assert.equal(pauses(skein), 3, 'the one after a session')
    })
  }
}

test('a ticket is refused whose refusal gets lost before the close', limit, async (t) => {
  const peer = new Peer()
  peer.onhello = (session) => {
    if (peer.connects > 1) return undefined
    session.close(3500, 'unauthorized')
    return 'silence'
  }
  await open(t, peer).ready
  assert.equal(peer.connects, 2)
})

test('a ticket is refused, and then the login is: that is final', limit, async (t) => {
  const peer = new Peer()
  peer.onhello = () => ({ error: expiredTicket, close: 3005 })
  peer.onconnect = () => (peer.connects > 1 ? Response.json({ error: { code: -32001, message: 'not signed in' } }, { status: 401 }) : undefined)
  await assert.rejects(open(t, peer).closed, { kind: 'unauthorized', code: 401, message: 'not signed in' })
  assert.equal(peer.connects, 2)
})

test('one endpoint refuses its ticket and the other is silent: the document is fetched again before the timeout', limit, async (t) => {
  const peer = new Peer()
  peer.door.webtransport = 'hang'
  peer.onhello = () => (peer.connects < 2 ? { error: expiredTicket, close: 3005 } : undefined)
  const skein = open(t, peer)
  await skein.ready
  assert.deepEqual([peer.connects, pauses(skein)], [2, 0])
})

test('every endpoint refuses the version: final; one refuses it and the other its ticket: not final', limit, async (t) => {
  const peer = new Peer()
  peer.onhello = (session) => ({ error: session.transport === 'webtransport' && peer.connects < 4 ? expiredTicket : other, close: 3502 })
  await assert.rejects(open(t, peer).closed, (/** @type {any} */ e) => {
    assert.equal(e.kind, 'unsupported_version')
    assert.deepEqual(e.failures.map((/** @type {any} */ f) => f.transport), ['webtransport', 'websocket'])
    return true
  })
  assert.equal(peer.connects, 4)
})

test('one endpoint refuses and the other is out of reach: not final', limit, async (t) => {
  const peer = new Peer()
  peer.door.websocket = 'fail'
  peer.onhello = () => (peer.connects < 3 ? { error: unauthorized } : undefined)
  await open(t, peer).ready
  assert.equal(peer.connects, 3)
})

/**
 * Counts the WebTransport objects that clients create for a peer.
 * @param {Peer} peer
 */
function counting(peer) {
  const count = { made: 0, live: 0, most: 0 }
  const Real = peer.WebTransport
  peer.WebTransport = class {
    /** @param {string} url @param {any} options */
    constructor(url, options) {
      const carrier = new Real(url, options)
      count.made++
      count.most = Math.max(count.most, ++count.live)
      const gone = () => void count.live--
      carrier.closed.then(gone, gone)
      return carrier
    }
  }
  return count
}

test('the browser takes no more WebTransport sessions: WebSocket does not wait', limit, async (t) => {
  const peer = new Peer()
  peer.policy.race_delay_ms = 60_000
  class Full {
    constructor() {
      throw new DOMException('Too many pending WebTransport sessions', 'QuotaExceededError')
    }
  }
  const skein = open(t, peer, { WebTransport: /** @type {any} */ (Full) })
  await skein.ready
  assert.equal(skein.connection.transport, 'websocket')
  assert.equal(skein.connection.reason, 'WebTransport failed: Too many pending WebTransport sessions')
})

test('after a hundred refusals of both endpoints a client reconnects, and left WebTransport out after seven', limit, async (t) => {
  const peer = new Peer()
  peer.policy.race_delay_ms = 60_000
  peer.door = { webtransport: 'fail', websocket: 'fail' }
  const count = counting(peer)
  peer.onconnect = () => {
    if (peer.connects === 101) peer.door = { webtransport: 'open', websocket: 'open' }
    return undefined
  }
  const skein = open(t, peer)
  await skein.ready
  assert.equal(peer.connects, 101)
  assert.equal(skein.connection.transport, 'websocket')
  assert.equal(skein.connection.reason, 'WebTransport failed 7 times within 5 minutes and is left out for now')
  assert.deepEqual(count, { made: 7, live: 0, most: 1 })
  assert.equal((await skein.list()).total, 0)
})

test('a session that is lost a hundred times while UDP is blocked leaves no WebTransport pending, and tried it once', limit, async (t) => {
  const peer = new Peer()
  peer.policy.race_delay_ms = 500
  peer.door.webtransport = 'hang'
  const count = counting(peer)
  const skein = open(t, peer)
  for (let i = 1; i <= 100; i++) {
    await until(skein, 'connectionchange', () => skein.connection.session === `s${i}`)
    peer.session.drop()
  }
  await until(skein, 'connectionchange', () => skein.connection.session === 's101')
  assert.deepEqual(count, { made: 1, live: 0, most: 1 })
})

test('clients that are made and closed count together', limit, async (t) => {
  const peer = new Peer()
  peer.door.webtransport = 'fail'
  const count = counting(peer)
  for (let i = 0; i < 20; i++) {
    const skein = open(t, peer)
    await skein.ready
    skein.close()
  }
  assert.equal(count.made, 7)
})

test('one endpoint refuses while WebTransport is left out: not final', limit, async (t) => {
  const peer = new Peer()
  peer.door.webtransport = 'fail'
  const count = counting(peer)
  peer.onhello = () => (peer.connects < 20 ? { error: unauthorized } : undefined)
  await open(t, peer).ready
  assert.deepEqual({ connects: peer.connects, made: count.made }, { connects: 20, made: 7 })
})

for (const [name, options] of /** @type {const} */ ([
  ['asked for', { transport: 'webtransport' }],
  ['the only one offered', {}],
])) {
  test(`WebTransport is tried however often it failed, where it is ${name}`, limit, async (t) => {
    const peer = new Peer()
    if (!options.transport) peer.doors.pop()
    peer.door.webtransport = 'fail'
    peer.onconnect = () => {
      if (peer.connects === 20) peer.door.webtransport = 'open'
      return undefined
    }
    const skein = open(t, peer, options)
    await skein.ready
    assert.deepEqual({ connects: peer.connects, transport: skein.connection.transport }, { connects: 20, transport: 'webtransport' })
  })
}

test("the pauses are the server's, although none of its endpoints has opened yet", limit, async (t) => {
  const peer = new Peer()
  peer.door = { webtransport: 'fail', websocket: 'fail' }
  peer.onconnect = () => {
    if (peer.connects === 20) peer.door.websocket = 'open'
    return undefined
  }
  /** @type {number[]} */
  const pauses = []
  const skein = open(t, peer, { log: (what, detail) => what === 'pause' && pauses.push(/** @type {any} */ (detail).ms) })
  await skein.ready
  assert.equal(pauses.length, 19)
  assert.ok(Math.max(...pauses) <= peer.policy.backoff_max_ms, `paused ${pauses}`)
})

test('close() ends a race', limit, async (t) => {
  const peer = new Peer()
  peer.door = { webtransport: 'hang', websocket: 'hang' }
  const skein = open(t, peer)
  await until(skein, 'statechange', () => true)
  skein.close('enough')
  assert.deepEqual(await skein.closed, { code: 0, reason: 'enough' })
  await assert.rejects(skein.ready, { kind: 'closed' })
})

test('an AbortSignal closes the client', limit, async (t) => {
  const stop = new AbortController()
  const skein = open(t, new Peer(), { signal: stop.signal })
  await skein.ready
  stop.abort()
  assert.equal((await skein.closed).code, 0)
  assert.equal(skein.state, 'closed')
})
