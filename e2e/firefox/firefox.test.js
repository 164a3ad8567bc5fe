import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Server, lives } from '../fixtures/server.js'
import { Firefox } from './firefox.js'

// Tests Debian's Firefox over WebTransport: the dashboard, and the library's transfers. Playwright tests everything else in
// Chromium.

/** The size of the transferred file, in bytes: many times what a browser buffers for a page. */
const SIZE = 20 << 20

/** @type {Server} */
let server
/** @type {Firefox} */
let firefox
/** @type {import('./firefox.js').Page} */
let page

before(async () => {
  server = new Server()
  ;[firefox] = await Promise.all([Firefox.start(), server.start()])
  page = await firefox.page()
  await page.goto(server.login)
  await page.until(() => location.pathname === '/')
})

after(async () => {
  try {
    await firefox?.close()
  } finally {
    await server?.close() // which fails if it logged an error
  }
  assert.deepEqual(firefox.errors, [], 'errors on the pages')
})

test('the dashboard is live, stops an agent, and shows the last words of one', async () => {
  const [[talker], [sleeper]] = await Promise.all([
    server.spawn('shell', '--name', 'talker', '--', 'sh', '-c', 'read go; seq 1 300'),
    server.spawn('shell', '--name', 'sleeper', '--', 'sleep', '300'),
  ])
  await live()
  await page.until(() => document.querySelector('button[aria-label="Stop sleeper"]')?.click() ?? document.querySelector('dialog[open]') !== null)
  await page.until(() => document.querySelector('dialog[open] button[data-f=confirm]')?.click() ?? document.querySelector('dialog[open]') === null)
  await page.until(() => document.querySelector('.chip[data-group=ended]')?.click() ?? [...document.querySelectorAll('[role=row]')].some((row) => /sleeper/.test(row.textContent) && /Stopped/.test(row.textContent)))
  assert.equal(lives(sleeper.process.pid), false)

  await page.goto(`${server.http}/agents/${talker.id}`)
  await live()
  await server.cli('send', talker.id, 'go')
  await page.until(() => /Completed/.test(document.querySelector('.agent-head .status').textContent))
  await page.until(() => [...document.querySelectorAll('.ln .tx')].some((line) => line.textContent === '300'))
})

test('the events of an ended agent arrive to their end', async () => {
  const [{ id }] = await server.spawn('shell', '--', 'seq', '1', '300')
  await openLibrary()
  const { text, last } = await page.evaluate(async (id) => {
    let text = ''
    let last
    for await (last of skein.events(id)) if (last.type === 'output.stdout') text += last.data.text
    return { text, last: last.type }
  }, id)
  assert.equal(text, Array.from({ length: 300 }, (_, i) => `${i + 1}\n`).join(''))
  assert.equal(last, 'agent.exited')
  assert.deepEqual(await breaks(), [])
})

test('a large file goes up and comes down whole, in one attempt each', async () => {
  await openLibrary()
  const { sum, again, stored } = await page.evaluate(async (size) => {
    const digest = async (b) => Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', b)), (x) => x.toString(16).padStart(2, '0')).join('')
    const bytes = new Uint8Array(size)
    for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
    const artifact = await skein.artifacts.upload(new File([bytes], 'large.bin'))
    const got = await new Response(skein.artifacts.download(artifact.id)).arrayBuffer()
    return { sum: await digest(bytes), again: await digest(got), stored: artifact.sha256 }
  }, SIZE)
  assert.equal(stored, sum)
  assert.equal(again, sum)
  assert.deepEqual(await breaks(), [])
})

test('what the server refuses says why', async () => {
  await openLibrary()
  const errors = await page.evaluate(async () => {
    const why = (promise) => promise.then(() => 'nothing', (e) => e.kind ?? String(e))
    const drain = async (stream) => {
      for await (const _ of stream);
    }
    const { id } = await skein.artifacts.create({ name: 'small', size: 3 })
    return [await why(drain(skein.events('none'))), await why(drain(skein.artifacts.download('none'))), await why(skein.artifacts.upload(new Blob(['more than that']), { artifact: id }))]
  })
  assert.deepEqual(errors, ['not_found', 'not_found', 'invalid_params'])
})

/** Waits until the page is live, over WebTransport. */
async function live() {
  const badge = await page.until(() => [...document.querySelectorAll('header button')].map((b) => b.textContent.trim()).find((t) => /^(WebTransport|WebSocket)/.test(t)))
  assert.match(badge, /^WebTransport/)
}

/** Opens a page without a session of its own, and a client of the library over WebTransport. */
async function openLibrary() {
  await page.goto(`${server.http}/stories`)
  await page.evaluate(async () => {
    const { Skein } = await import('/static/skein.js')
    globalThis.log = []
    globalThis.skein = new Skein({ transport: 'webtransport', log: (what) => log.push(what) })
    await skein.ready
  })
}

/** What the library logged about broken lanes. */
const breaks = () => page.evaluate(() => log.filter((what) => /broke|ended early/.test(what)))
