import { BROKEN, expect, live, signIn, test } from '../fixtures/test.js'

// Tests, in a browser, when the library loads the module that it needs only sometimes, and what happens if it can't.

const EXTRA = /\/static\/extra-[0-9A-Z]{8}\.js/

test.skip(({ transport }) => transport === 'websocket', 'it is about a page that has WebTransport')
test.use({ noise: async ({}, use) => use([BROKEN]) })

/** Opens a page with the library but without a session of its own, and records the requests for the module. */
async function library(page, server) {
  /** @type {string[]} */
  const fetched = []
  page.on('request', (request) => EXTRA.test(request.url()) && fetched.push(request.url()))
  await signIn(page, server)
  await page.goto(`${server.http}/stories`)
  await page.evaluate(async () => Object.assign(globalThis, await import('/static/skein.js')))
  fetched.length = 0
  return fetched
}

test('a client over WebTransport comes in without it, and has it for a network that lets no UDP through', async ({ page, server }) => {
  const fetched = await library(page, server)
  await page.route('**/connect', async (route) => { // on a busy machine WebTransport may take longer than the race gives it
    const response = await route.fetch()
    const doc = await response.json()
    await route.fulfill({ response, json: { ...doc, policy: { ...doc.policy, race_delay_ms: 60_000 } } })
  })
  const before = await page.evaluate(async () => {
    const skein = new Skein()
    await skein.ready
    Object.assign(globalThis, { skein })
    return { transport: skein.connection.transport, loaded: performance.getEntriesByType('resource').filter(({ name }) => name.includes('/extra-')).length }
  })
  expect(before).toEqual({ transport: 'webtransport', loaded: 0 })
  await expect.poll(() => fetched.length, 'it is fetched ahead').toBe(1)
  await page.waitForLoadState('networkidle')
  await page.route(EXTRA, (route) => route.abort())
  const transport = await page.evaluate(async () => {
    skein.use('websocket')
    while (skein.connection.transport !== 'websocket') await new Promise((resolve) => skein.addEventListener('connectionchange', resolve, { once: true }))
    return skein.connection.transport
  })
  expect(transport).toBe('websocket')
  expect(fetched).toHaveLength(1)
})

test('where it can not be fetched, WebTransport is as it was, and a WebSocket says so and comes with the next attempt', async ({ page, server }) => {
  await page.route(EXTRA, (route) => route.abort())
  const fetched = await library(page, server)
  const first = await page.evaluate(async () => {
    const fast = new Skein()
    await fast.ready
    const skein = new Skein({ transport: 'websocket' })
    Object.assign(globalThis, { skein })
    while (!skein.lastError) await new Promise((resolve) => skein.addEventListener('statechange', resolve, { once: true }))
    return { fast: fast.connection.transport, agents: (await fast.list()).agents.length, kind: skein.lastError.kind, message: skein.lastError.message, state: skein.state }
  })
  expect(first).toMatchObject({ fast: 'webtransport', agents: 0, kind: 'connect_failed', state: 'connecting' })
  expect(first.message).toMatch(/extra-.*can't be loaded.*load the page again/)
  await page.unroute(EXTRA)
  expect(await page.evaluate(async () => (await skein.ready, skein.connection.transport))).toBe('websocket')
  expect(new URL(fetched.at(-1)).search, 'Firefox would not fetch the same name again').toMatch(/^\?again=\d+$/)
})

test.describe('without WebTransport', () => {
  test.use({ args: ['--listen', 'off'] })

  test('a page of such a server asks for it before its script has come, and once', async ({ page, server }) => {
    /** @type {string[]} */
    const asked = []
    page.on('request', (request) => request.url().includes('/extra-') && asked.push(request.url()))
    const extra = page.waitForRequest(EXTRA)
    await page.route(/\/static\/fleet\.js/, async (route) => {
      await extra // the script does not run before that
      await route.continue()
    })
    await signIn(page, server)
    await page.goto(server.http)
    await live(page, 'websocket')
    expect(asked).toHaveLength(1)
  })
})
