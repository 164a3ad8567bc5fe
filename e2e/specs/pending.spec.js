import { MAX_FAILED } from '../../static/client/attempts.js'
import { Link } from '../fixtures/network.js'
import { BROKEN, expect, signIn, test } from '../fixtures/test.js'

// Chromium allows 64 pending WebTransport sessions per page. Sessions that failed, or were closed before they opened, count
// for five more minutes, and each delays the next one (static/client/attempts.js). These tests bring a page to that limit,
// as the real browser counts.

/** How many sessions may be pending in a page. */
const PLACES = 64

/** @typedef {{url?: string, ticket?: string}} Change what a page's clients are told about an endpoint */

const it = test.extend({
  noise: async ({}, use) => use([BROKEN]),

  /** A link to the server that a test can cut. */
  link: async ({}, use) => {
    const link = new Link()
    await link.open()
    await use(link)
    link.close()
  },

  /** A page of the server's origin that has no session of its own and counts the WebTransport objects of its clients. */
  page: async ({ page, server, link }, use) => {
    link.lead(server)
    await page.addInitScript(forgetChoices)
    await page.addInitScript(countWebTransport)
    await signIn(page, server)
    await page.goto(`${server.http}/stories`)
    await use(page)
  },

  /** How often Chromium refused a session because too many were pending, by its log. */
  refused: async ({ page }, use) => {
    let n = 0
    page.on('console', (m) => {
      if (m.text().includes(`Too many pending WebTransport sessions (${PLACES})`)) n++
    })
    await use(() => n)
  },
})

/**
 * Runs in the page, before its scripts: makes clients forget that WebTransport did not answer, since they would make fewer
 * attempts.
 */
function forgetChoices() {
  const { getItem } = Storage.prototype
  Storage.prototype.getItem = function (key) {
    return key.startsWith('skein.choice ') ? null : getItem.call(this, key)
  }
}

/** Runs in the page, before its scripts. */
function countWebTransport() {
  globalThis.Uncounted = globalThis.WebTransport
  globalThis.count = { made: 0, live: 0, most: 0 }
  globalThis.WebTransport = class extends Uncounted {
    constructor(url, options) {
      super(url, options)
      count.made++
      count.most = Math.max(count.most, ++count.live)
      const gone = () => void count.live--
      this.closed.then(gone, gone)
    }
  }
}

/** @param {import('@playwright/test').Page} page */
const count = (page) => page.evaluate(() => ({ ...globalThis.count }))

/**
 * Starts sessions that are not Skein's.
 * @param {import('@playwright/test').Page} page
 * @param {{url: string, certificate_hashes?: {algorithm: string, value: string}[]}} endpoint
 * @param {number} n
 */
const fill = (page, { url, certificate_hashes = [] }, n) =>
  page.evaluate(({ url, certificate_hashes, n }) => {
    const serverCertificateHashes = certificate_hashes.map(({ algorithm, value }) => ({ algorithm, value: Uint8Array.from(atob(value), (c) => c.charCodeAt(0)) }))
    globalThis.begin = () => {
      const session = new Uncounted(url, { serverCertificateHashes })
      for (const p of [session.ready, session.closed]) p.catch(() => {})
      return session
    }
    globalThis.others = Array.from({ length: n }, begin)
  }, { url, certificate_hashes, n })

/** @param {import('@playwright/test').Page} page */
const closeOthers = (page) => page.evaluate(() => others.forEach((s) => s.close()))

/**
 * Waits until one more session like those of `fill` opens, and closes it. Sessions that Chromium refuses take no place.
 * @param {import('@playwright/test').Page} page
 */
const oneMore = (page) =>
  page.evaluate(async () => {
    for (;;) {
      const session = begin()
      const opened = await session.ready.then(() => true, () => false)
      if (opened) return session.close()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })

/**
 * Sets the connect document for the page's clients from now on.
 * @param {import('@playwright/test').Page} page
 * @param {{policy?: object, doors?: {webtransport?: Change, websocket?: Change}}} [changes] none: the unchanged document
 */
const tell = (page, changes = {}) => page.evaluate((changes) => void (globalThis.changes = changes), changes)

/**
 * Creates a client, the page's `skein`. `failures` counts its failed attempts.
 * @param {import('@playwright/test').Page} page
 */
const make = (page) =>
  page.evaluate(async () => {
    const { Skein } = await import('/static/skein.js')
    globalThis.failures = 0
    globalThis.skein = new Skein({
      log: (what) => void (what === 'attempt failed' && failures++),
      fetch: async (...request) => {
        const response = await globalThis.fetch(...request)
        if (!response.ok) return response
        const doc = await response.json()
        Object.assign(doc.policy, globalThis.changes?.policy)
        for (const d of doc.doors) Object.assign(d, globalThis.changes?.doors?.[d.transport])
        return Response.json(doc)
      },
    })
  })

/**
 * Waits until the page's client has a session, and uses it.
 * @param {import('@playwright/test').Page} page
 */
const enter = (page) =>
  page.evaluate(async () => {
    const began = performance.now()
    await skein.ready
    const ms = performance.now() - began
    const types = await skein.types()
    const { transport, reason } = skein.connection
    return { transport, reason, ms, types: types.map((t) => t.name) }
  })

/** @param {import('@playwright/test').Page} page */
async function open(page) {
  await make(page)
  return enter(page)
}

/** A policy almost without pauses, for tests with many attempts. */
const HASTE = { backoff_min_ms: 1, backoff_max_ms: 10 }

/** @param {import('@playwright/test').Page} page */
const aHundredFailures = (page) => expect.poll(() => page.evaluate(() => failures), { timeout: 75_000 }).toBeGreaterThan(100)

it('a page whose places are all taken is let in over WebSocket at once', async ({ page, server, transport, blackHole, refused }) => {
  await fill(page, { url: `https://localhost:${blackHole.port}/wt` }, PLACES + 6)
  await expect.poll(refused, 'the page is at the limit').toBe(6)

  await tell(page, { policy: { race_delay_ms: 12_000 } })
  const entered = await open(page)
  expect(entered).toMatchObject({ transport: 'websocket', reason: expect.stringMatching(/^WebTransport failed: /), types: expect.arrayContaining(['shell']) })
  expect(entered.ms, 'it does not wait for what was refused').toBeLessThan(20_000)
  expect(refused(), 'WebTransport was tried').toBe(7)
  expect(await count(page)).toEqual({ made: 1, live: 0, most: 1 })
  await expect.poll(() => server.sessions()).toEqual({ webtransport: 0, websocket: 1 })

  await closeOthers(page)
  await page.reload() // Chromium frees the places with the page
  expect(await open(page)).toMatchObject({ transport, reason: transport === 'webtransport' ? '' : expect.stringMatching(/^WebTransport did not answer/) })
})

it('a session that the browser holds back is not waited for longer than the race, and is closed', async ({ page, server, blackHole, refused }) => {
  await fill(page, { url: `https://localhost:${blackHole.port}/wt` }, PLACES - 1)
  const { transport, reason, ms } = await open(page)
  expect({ transport, reason }).toEqual({ transport: 'websocket', reason: 'WebTransport did not answer within 500 ms (is UDP blocked?)' })
  expect(ms).toBeLessThan(20_000) // the sessions in front of it take minutes
  expect(await count(page), 'the loser is closed').toEqual({ made: 1, live: 0, most: 1 })
  expect(refused()).toBe(0)
  await expect.poll(() => server.sessions()).toEqual({ webtransport: 0, websocket: 1 })
})

it.describe('on a link that drops UDP', () => {
  const linked = it.extend({ args: async ({ link }, use) => use(['--quic-port', String(link.udpPort)]) })
  linked.skip(({ transport }) => transport === 'websocket', 'there UDP never comes back')

  linked('WebTransport is back in the same page once its places are free', async ({ page, server, link, refused }) => {
    link.cut()
    const endpoint = (await server.connect()).doors.find((d) => d.transport === 'webtransport')
    await fill(page, endpoint, PLACES + 1)
    await expect.poll(refused, 'the page is at the limit').toBe(1)
    expect(await open(page)).toMatchObject({ transport: 'websocket', reason: expect.stringMatching(/^WebTransport failed: /) })
    await page.evaluate(() => skein.close())

    link.mend() // in time for most to open, which frees their places, unlike closing them before
    await oneMore(page)
    await closeOthers(page)
    await tell(page, { policy: { race_delay_ms: 14_000, ...HASTE } })
    expect(await open(page)).toMatchObject({ transport: 'webtransport', reason: '' })
    await expect.poll(() => server.sessions(), 'what was closed is gone').toEqual({ webtransport: 1, websocket: 0 })
    expect(await count(page)).toMatchObject({ live: 1, most: 1 })
  })
})

it('a server that was away for a hundred attempts is found again over the same transport', { tag: '@soak' }, async ({ page, server, transport, refused }) => {
  await tell(page, { policy: { ...HASTE, ping_ms: 500 } })
  expect(await open(page)).toMatchObject({ transport })
  const before = await count(page)
  await server.kill()
  await aHundredFailures(page)
  expect(await count(page), 'attempts without a server take no place').toEqual({ ...before, live: 0 })
  await server.start()
  await expect.poll(() => page.evaluate(() => skein.connection.transport)).toBe(transport)
  expect(await count(page)).toEqual({ made: 2, live: transport === 'webtransport' ? 1 : 0, most: 1 })
  expect(refused()).toBe(0)
})

it('after a hundred refusals by both endpoints a page reconnects, and none of its attempts is pending', { tag: '@soak' }, async ({ page, server, transport, refused }) => {
  const endpoint = (await server.connect()).doors.find((d) => d.transport === 'webtransport')
  await tell(page, { policy: HASTE, doors: { webtransport: { url: endpoint.url.replace(/\/wt$/, '/nowhere') }, websocket: { ticket: 'AAAAAAAAAAAAAAAAAAAAAAAAAA' } } })
  await make(page)
  await aHundredFailures(page)
  expect(await count(page)).toEqual({ made: MAX_FAILED, live: 0, most: 1 })

  await tell(page)
  expect(await enter(page)).toMatchObject({ transport: 'websocket', reason: `WebTransport failed ${MAX_FAILED} times within 5 minutes and is left out for now` })
  expect(await count(page)).toEqual({ made: MAX_FAILED, live: 0, most: 1 })
  await expect.poll(() => server.sessions()).toEqual({ webtransport: 0, websocket: 1 })
  expect(refused()).toBe(0)

  await page.reload()
  expect(await open(page)).toMatchObject({ transport })
})

it('a session that is lost a hundred times while UDP is blocked leaves the page its places', { tag: '@soak' }, async ({ page, server, link, transport, blackHole, refused }) => {
  await tell(page, { policy: HASTE, doors: { webtransport: { url: `https://localhost:${blackHole.port}/wt` }, websocket: { url: `ws://localhost:${link.tcpPort}/ws` } } })
  expect(await open(page)).toMatchObject({ transport: 'websocket' })
  for (let i = 0; i < 100; i++) {
    const session = await page.evaluate(() => skein.connection.session)
    link.cut()
    link.mend()
    await page.waitForFunction((session) => ![undefined, session].includes(skein.connection.session), session)
  }
  expect(await count(page)).toEqual({ made: MAX_FAILED, live: 0, most: 1 })
  expect(refused()).toBe(0)
  await expect.poll(() => server.sessions()).toEqual({ webtransport: 0, websocket: 1 })
  if (transport === 'websocket') return // without UDP there is no way to see whether a place is free
  await fill(page, (await server.connect()).doors.find((d) => d.transport === 'webtransport'), 0)
  const began = Date.now()
  await oneMore(page)
  expect(Date.now() - began, 'a second, as a rule').toBeLessThan(30_000)
})
