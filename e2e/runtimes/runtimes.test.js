// Tests the library in each runtime that it supports, against the real binary: which transport it uses there and why, that
// its methods work, and that the program ends by itself.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { Server } from '../fixtures/server.js'

const { arch } = process
const modules = `${import.meta.dirname}/node_modules`
const deno = `${modules}/@deno/linux-${arch}-glibc/deno`
const bun = `${modules}/@oven/bun-linux-${arch === 'x64' ? 'x64-baseline' : 'aarch64'}/bin/bun`
const node = (/** @type {number} */ version) => `${modules}/node${version}-linux-${arch}/bin/node`

/** The environment, without additional trusted certificates. */
const { NODE_EXTRA_CA_CERTS, DENO_CERT, ...env } = process.env

const NONE = 'this JavaScript runtime has no WebTransport'
const UNFIT = "Deno's WebTransport does not end streams"

/** @type {[string, string[], string][]} a name, a command, and why the transport is not WebTransport */
const runtimes = [
  ['Node 20', [node(20)], NONE],
  ['Node 24', [node(24)], NONE],
  ['Node 26', [node(26)], NONE],
  ['Bun', [bun], NONE],
  ['Deno', [deno, 'run', '--allow-all', '--node-modules-dir=manual'], NONE],
  ['Deno with --unstable-net', [deno, 'run', '--allow-all', '--node-modules-dir=manual', '--unstable-net'], UNFIT],
]

/**
 * Runs the program to its end. When it reports `restart`, the server is restarted.
 * @param {string[]} command
 * @param {Server} server
 */
async function run([binary, ...args], server) {
  const child = spawn(binary, [...args, `${import.meta.dirname}/program.js`, server.http, server.https, server.token], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' },
  })
  const hung = setTimeout(() => child.kill('SIGKILL'), 120_000)
  let trouble = ''
  child.stderr.on('data', (text) => (trouble += text))
  const ended = once(child, 'close')
  /** @type {Record<string, any>} */
  const said = {}
  for await (const line of createInterface({ input: child.stdout })) {
    const { what, ...detail } = JSON.parse(line)
    said[what] = detail
    if (what === 'restart') {
      await server.stop()
      await server.start()
    }
  }
  const [code, signal] = await ended
  clearTimeout(hung)
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, `it said ${JSON.stringify(said)}\n${trouble}`)
  assert.doesNotMatch(trouble, /error|warning|uncaught|rejection/i, trouble)
  return said
}

describe('the library in', { concurrency: 2, timeout: 600_000, skip: process.platform !== 'linux' && 'the binaries are those for Linux' }, () => {
  for (const [name, command, reason] of runtimes) {
    test(name, async (t) => {
      const server = new Server()
      t.after(() => server.close()) // which fails if it logged an error
      await server.start()
      const said = await run(command, server)
      assert.equal(said.untrusted.kind, 'untrusted_certificate')
      assert.match(said.untrusted.message, name.startsWith('Deno') ? /UnknownIssuer.*DENO_CERT=FILE/ : /certificate.*NODE_EXTRA_CA_CERTS=FILE/)
      if (reason === UNFIT) assert.deepEqual(said.webtransport, { kind: 'no_transport', message: `webtransport was asked for, but ${UNFIT}` })
      else assert.equal(said.webtransport, undefined)
      assert.equal(said.open.transport, 'websocket')
      assert.equal(said.open.reason, reason)
      assert.equal(said.events.printed, 'one\ntwo yes\n')
      assert.deepEqual(said.served, { result: 'SERVED', ended: 'completed' })
      assert.deepEqual(said.transfer, { size: 3 << 20, same: true, sha256: true })
      assert.deepEqual(said.cancelled, { names: ['AbortError', 'AbortError'], broke: [] })
      assert.deepEqual(said.again, { total: 2, size: 1000, transport: 'websocket' })
      assert.deepEqual(said.closed, { code: 0, reason: 'closed by the client', timers: [] })
    })
  }
})
