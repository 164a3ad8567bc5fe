// A program as a user may write it, for any runtime: it reports what happens in lines of JSON and ends by itself. Its last
// line is `closed`; in between it waits for a restart of the server.
import { createHash, randomBytes } from 'node:crypto'
import { Skein, connect, isTerminal, payloadText } from '../../static/client/index.js'

const [http, https, token] = process.argv.slice(2)

/** @param {string} what @param {object} [detail] */
const tell = (what, detail) => console.log(JSON.stringify({ what, ...detail }))

/** The pending timers of the library, by their milliseconds. */
const timers = new Map()
const { setTimeout: set, clearTimeout: clear } = globalThis
globalThis.setTimeout = (then, ms, ...args) => {
  const timer = set(() => (timers.delete(timer), then(...args)), ms)
  const by = new Error().stack
  if (by.includes('static/client') && !by.includes('node_modules')) timers.set(timer, ms) // @moq/qmux gives its close 100 ms to be sent
  return timer
}
globalThis.clearTimeout = (timer) => (timers.delete(timer), clear(timer))

/** @param {Uint8Array} bytes */
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** What the library logged about failures. */
const broke = []
const options = { token, clientName: 'runtimes', log: (what, detail) => /broke|failed/.test(what) && broke.push({ what, ...detail }) }
if (!globalThis.WebSocket) options.WebSocket = (await import('ws')).WebSocket // Node 20

tell('untrusted', await connect(https, options).then(() => ({ kind: 'it is trusted' }), ({ kind, message }) => ({ kind, message })))
if (globalThis.WebTransport) {
  tell('webtransport', await connect(http, { ...options, transport: 'webtransport' }).then(() => ({ kind: 'it is open' }), ({ kind, message }) => ({ kind, message })))
}
broke.length = 0

const skein = new Skein({ ...options, url: http })
await skein.ready
tell('open', skein.connection)

const { agents: [agent] } = await skein.spawn({ type: 'scripted', script: 'say one\nread\nsay two ${reply}' })
let printed = ''
for await (const event of skein.events(agent.id, { follow: true })) {
  if (event.type !== 'output.stdout') continue
  printed += event.data.text
  if (printed === 'one\n') await skein.input(agent.id, 'yes\n')
}
tell('events', { printed })

const worker = await skein.serve({ name: 'served' }, (task) => task.input.toUpperCase())
const { id } = await skein.tasks.submit({ agent: worker.agent, input: 'served' })
for await (const { tasks } of skein.tasks.watch({ filter: { ids: [id] } })) {
  if (tasks?.some((task) => isTerminal(task.state))) break
}
const { result } = await skein.tasks.get(id)
await worker.close()
tell('served', { result: payloadText(result), ended: (await skein.get(worker.agent)).reason })

const bytes = randomBytes(3 << 20)
const artifact = await skein.artifacts.upload(bytes, { name: 'some.bin' })
const back = new Uint8Array(await new Response(skein.artifacts.download(artifact.id)).arrayBuffer())
tell('transfer', { size: back.length, same: sha(back) === sha(bytes), sha256: artifact.sha256 === sha(bytes) })

const names = []
const stop = new AbortController()
const enough = { signal: stop.signal, onprogress: ({ loaded }) => loaded > 1 << 20 && stop.abort() }
await skein.artifacts.upload(bytes, { name: 'cut.bin', ...enough }).catch((e) => names.push(e.name))
const reader = skein.artifacts.download(artifact.id).getReader()
await reader.read()
await reader.cancel()
const other = new AbortController()
await new Response(skein.artifacts.download(artifact.id, { signal: other.signal, onprogress: () => other.abort() })).arrayBuffer().catch((e) => names.push(e.name))
tell('cancelled', { names, broke })

const { session } = skein.connection
const again = new Promise((resolve) => {
  skein.addEventListener('connectionchange', () => ![undefined, session].includes(skein.connection.session) && resolve(undefined))
})
const gone = new Promise((resolve) => skein.addEventListener('connectionchange', resolve, { once: true }))
tell('restart')
await gone
const { total } = await skein.list() // called while the server is down
await again
const file = await skein.artifacts.upload(bytes.subarray(0, 1000), { name: 'after.bin' })
tell('again', { total, size: file.size, transport: skein.connection.transport })

const brief = await connect(http, options) // closed at once: nothing that it started may continue
brief.close()
await brief.closed
skein.close()
const closed = await skein.closed
for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
tell('closed', { ...closed, timers: [...timers].filter(([timer]) => timer.hasRef?.() ?? true).map(([, ms]) => ms).filter((ms) => ms > 25) })
