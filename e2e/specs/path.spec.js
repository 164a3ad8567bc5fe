import { Link } from '../fixtures/network.js'
import { BROKEN, CARRIERS, COMES_BACK, badge, expect, lines, live, openAgent, signIn, state, test } from '../fixtures/test.js'

/** @typedef {import('@playwright/test').Page} Page */

/**
 * Tests what networks do to a page (drop its UDP, fall silent, go away, ask for a login) and what a sleeping laptop does.
 * The page connects over a link that the test controls, on TCP and UDP. In project `websocket` the link drops UDP from the
 * beginning.
 */
const it = test.extend({
  link: async ({ transport }, use) => {
    const link = new Link()
    await link.open()
    if (transport === 'websocket') link.block()
    await use(link)
    link.close()
  },
  noise: async ({}, use) => use([BROKEN, /^Failed to load resource/]),
  args: async ({ link }, use) => use(['--quic-port', String(link.udpPort), '--allow-origin', `http://localhost:${link.tcpPort}`]),
  /** The server's address over the link. */
  there: async ({ link, server }, use) => {
    link.lead(server)
    await use({ ...server, http: `http://localhost:${link.tcpPort}` })
  },
  /** A page that follows an agent which counts, about twenty lines a second. */
  follower: async ({ page, server, there, transport }, use) => {
    const [agent] = await server.spawn('shell', '--name', 'counter', '--', 'sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done')
    await watchStates(page)
    await signIn(page, server)
    await openAgent(page, there, agent.id, transport)
    await expect.poll(async () => (await numbers(page)).length).toBeGreaterThan(10)
    await use(agent)
  },
})

/** Longer than it takes to miss two pings, in milliseconds. */
const ASLEEP_MS = 12_000

/** @param {Page} page */
const numbers = async (page) => (await lines(page).allTextContents()).flatMap((t) => /^line (\d+)$/.exec(t)?.[1] ?? []).map(Number)

/** Records the texts of the badge, and when each line came. @param {Page} page */
const watchStates = (page) => page.addInitScript(() => {
  const states = (globalThis.states = [])
  const times = (globalThis.times = [])
  document.addEventListener('DOMContentLoaded', () => {
    const badge = document.querySelector('.conn')
    new MutationObserver(() => states.push(badge?.getAttribute('data-state'))).observe(badge, { attributes: true, attributeFilter: ['data-state'] })
    const output = document.querySelector('#main')
    let last = 0
    new MutationObserver(() => {
      const n = output.querySelectorAll('.ln .tx').length
      if (n > last) times.push(performance.now())
      last = n
    }).observe(output, { childList: true, subtree: true })
  })
})

/** The longest time without a new line since a moment, in milliseconds. @param {Page} page @param {number} since */
const gap = (page, since) => page.evaluate((since) => {
  const times = [since, ...globalThis.times.filter((t) => t > since)]
  return Math.max(...times.map((t, i) => (times[i + 1] ?? t) - t))
}, since)

/** @param {Page} page */
const pageTime = (page) => page.evaluate(() => performance.now())

/** Stops the agent and checks that every line that it printed is on the page, once and in order. */
async function whole(page, server, agent) {
  await server.cli('stop', 'counter')
  await expect(state(page)).toHaveText(/Stopped/)
  const all = await numbers(page)
  expect(all).toEqual(all.map((_, i) => i + 1))
  expect(await server.output(agent.id)).toBe(all.map((n) => `line ${n}\n`).join(''))
}

/** Waits until more lines come. @param {Page} page */
async function goesOn(page, timeout = COMES_BACK) {
  const n = (await numbers(page)).length
  await expect.poll(async () => (await numbers(page)).length, { timeout }).toBeGreaterThan(n + 20)
}

it('where UDP did not answer, the next page does not wait for it', async ({ page, server, link, there, transport }) => {
  link.block()
  await signIn(page, server)
  await page.goto(there.http)
  await live(page, 'websocket')
  expect(link.packets, 'the first page tried').toBeGreaterThan(0)
  for (const what of ['a reload', 'another tab']) {
    const other = what === 'a reload' ? page : await page.context().newPage()
    await other.addInitScript(() => {
      globalThis.made = []
      const at = (/** @type {string} */ name) => {
        const Real = globalThis[name]
        globalThis[name] = class extends Real {
          constructor(...args) {
            super(...args)
            globalThis.made.push(name)
          }
        }
      }
      at('WebTransport')
      at('WebSocket')
    })
    await (what === 'a reload' ? page.reload() : other.goto(there.http))
    await live(other, 'websocket')
    expect(await other.evaluate(() => globalThis.made[0]), what).toBe('WebSocket')
    await badge(other).click()
    await expect(other.getByRole('dialog', { name: 'Connection' })).toContainText(/did not answer within 500 ms.*UDP.*remembered from \d+ s ago/)
  }
  await expect.poll(() => page.evaluate(() => globalThis.made.includes('WebTransport')), 'it still looks for it').toBe(true)
  if (transport === 'webtransport') {
    link.block(false)
    await live(page, 'webtransport', { timeout: COMES_BACK })
    expect(await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('skein.choice')))).toEqual([])
  }
})

it('a page whose path falls silent goes over to what works, and misses nothing', async ({ page, server, link, follower, transport }, info) => {
  it.skip(transport === 'websocket', 'UDP is what this is about')
  const since = await pageTime(page)
  link.block()
  await live(page, 'websocket', { timeout: COMES_BACK })
  await goesOn(page)
  const ms = Math.round(await gap(page, since))
  info.annotations.push({ type: 'gap', description: `${ms} ms without a line` })
  console.log(`a page whose UDP is swallowed: ${ms} ms without a line`)
  if (process.env.EVERY) expect(ms, 'two pings alone take longer').toBeLessThan(10_000)
  expect(await page.evaluate(() => globalThis.states), 'the next session was open before the last one ended').not.toContain('reconnecting')
  await whole(page, server, follower)
})

it('a page that goes offline and comes back misses nothing', async ({ page, context, server, link, follower }) => {
  link.cut()
  await context.setOffline(true)
  await expect(badge(page)).toHaveAccessibleName(/^Reconnecting/, { timeout: COMES_BACK })
  link.mend()
  await context.setOffline(false)
  await expect(badge(page)).toHaveAccessibleName(/^Web/, { timeout: COMES_BACK })
  await goesOn(page)
  await whole(page, server, follower)
})

it('a server that stands still for some seconds and goes on: the session is kept', async ({ page, server, follower, transport }) => {
  const session = await page.evaluate(() => document.querySelector('[data-c="session"]')?.textContent)
  process.kill(server.pid, 'SIGSTOP')
  await new Promise((resolve) => setTimeout(resolve, 6000)) // the server is stopped meanwhile
  process.kill(server.pid, 'SIGCONT')
  await goesOn(page)
  expect(await page.evaluate(() => globalThis.states)).not.toContain('reconnecting')
  expect(await page.evaluate(() => document.querySelector('[data-c="session"]')?.textContent), 'the same session').toBe(session)
  await live(page, transport)
  await whole(page, server, follower)
})

it('a browser that sleeps for some seconds goes on', { tag: '@soak' }, async ({ page, browser, server, follower, transport }) => {
  await page.evaluate(() => {
    const ticks = (globalThis.ticks = [performance.now()])
    setInterval(() => ticks.push(performance.now()), 100)
  })
  const cdp = await browser.newBrowserCDPSession()
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo')
  const asleep = processInfo.filter(({ type }) => /^renderer$|network/i.test(type)) // the processes of its pages and its network
  for (const { id } of asleep) process.kill(id, 'SIGSTOP')
  try {
    await new Promise((resolve) => setTimeout(resolve, ASLEEP_MS))
  } finally {
    for (const { id } of asleep) process.kill(id, 'SIGCONT')
  }
  await goesOn(page)
  const slept = await page.evaluate(() => Math.max(...globalThis.ticks.map((t, i, all) => (all[i + 1] ?? t) - t)))
  expect(slept, 'no timer ran').toBeGreaterThan(ASLEEP_MS - 1000)
  expect(await page.evaluate(() => globalThis.states), 'its session is kept').not.toContain('reconnecting')
  await live(page, transport)
  await whole(page, server, follower)
})

it('a proxy that falls silent: the page says so, tries on, and goes on when the proxy does', async ({ page, server, link, follower }) => {
  link.block()
  await live(page, 'websocket', { timeout: COMES_BACK })
  link.mute()
  await expect(badge(page)).toHaveAccessibleName(/^Reconnecting/, { timeout: COMES_BACK })
  await expect(page.getByRole('status').filter({ hasText: 'The server does not answer; trying again.' })).toBeVisible()
  await badge(page).click()
  await expect(page.getByRole('dialog', { name: 'Connection' })).toContainText(/websocket: it opened, but nothing came through it.*proxy/i, { timeout: 40_000 })
  link.mute(false)
  await live(page, 'websocket', { timeout: COMES_BACK })
  await goesOn(page)
  await whole(page, server, follower)
})

const PAGE = '<!doctype html><title>Hotel</title><form method="post" action="/login">Your room?</form>'
for (const [name, response] of [
  ['its page', `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${PAGE.length}\r\nConnection: close\r\n\r\n${PAGE}`],
  ['the way to it', 'HTTP/1.1 302 Found\r\nLocation: http://portal.invalid/login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'],
]) {
  it(`a captive portal answers with ${name}: the page says what to do, and is live when that is done`, { tag: name === 'its page' ? [] : '@soak' }, async ({ page, server, link, follower, noise }) => {
    noise.push(/module script|Loading the script/) // the portal also answers when the page fetches ahead the module for a WebSocket
    link.block()
    link.portal(response)
    await expect(badge(page)).toHaveAccessibleName(/^Reconnecting/, { timeout: COMES_BACK })
    await expect(page.getByRole('status').filter({ hasText: /is not Skein: .*sign in there/ })).toBeVisible({ timeout: COMES_BACK })
    link.portal('')
    link.block(false)
    await expect(badge(page)).toHaveAccessibleName(new RegExp(`^(${Object.values(CARRIERS).join('|')})`), { timeout: COMES_BACK })
    await goesOn(page)
    await whole(page, server, follower)
  })
}
