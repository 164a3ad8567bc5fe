import { check } from '../fixtures/axe.js'
import { client } from '../fixtures/client.js'
import { BROKEN, CARRIERS, badge, expect, live, openAgent, lines, test } from '../fixtures/test.js'

/** @typedef {import('@playwright/test').Page} Page */

/** The text of a figure. @param {Page} page @param {string} word */
const figure = (page, word) => page.locator('.figure').filter({ has: page.getByText(word, { exact: true }) })

/** @param {Page} page @param {string} lane @param {string} column */
const cell = (page, lane, column) => page.getByRole('table', { name: 'Lanes of this session' }).locator(`[data-lane="${lane}"] [data-f="${column}"]`)

/** A finding about the network, by its first word. @param {Page} page @param {string} word */
const finding = (page, word) => page.getByRole('region', { name: 'What this network allows' }).getByRole('listitem').filter({ has: page.getByText(word, { exact: true }) })

/** @param {Page} page */
const happened = (page) => page.getByRole('list', { name: 'What happened in this tab' }).getByRole('listitem')

/** @param {Page} page */
const notice = (page) => page.getByRole('status').filter({ hasText: 'This tab uses' })

/** @param {Page} page @param {string} name */
const use = (page, name) => page.getByRole('group', { name: 'Transport of this tab' }).getByRole('button', { name, exact: true })

const it = test.extend({
  network: async ({ fleet: page, transport }, open) => {
    await badge(page).click()
    await page.getByRole('dialog', { name: 'Connection' }).getByRole('link', { name: 'All about this connection' }).click()
    await expect(page.getByRole('heading', { name: 'Network', level: 1 })).toBeVisible()
    await live(page, transport)
    await open(page)
  },
})

it('the page shows what the network allows, and a tab is kept to WebSocket', { tag: '@both' }, async ({ network: page, server, transport, blackHole }) => {
  await it.step('the page shows the transport, and what the network allows', async () => {
    await expect(page.locator('#summary')).toHaveText(new RegExp(`^${CARRIERS[transport]} to .+, since \\d\\d:\\d\\d:\\d\\d$`))
    await expect(figure(page, 'Round trip')).toContainText(/[\d.]+ ms/)
    await expect(happened(page).first()).toContainText(`${CARRIERS[transport]} is open.`)
    if (transport === 'webtransport') {
      await expect(finding(page, 'UDP')).toContainText('It passes')
      await expect(finding(page, 'To do')).toHaveCount(0)
      await expect(figure(page, 'Congestion window')).toContainText(/KiB/)
      await expect(figure(page, 'Packets lost')).toContainText(/\d+ of \d+ sent/)
      await expect(page.locator('[data-f="mask"]')).toHaveText(/^(Off: .+|On: .+)/)
    } else {
      await expect(finding(page, 'UDP')).toContainText('It did not pass')
      await expect(finding(page, 'To do')).toContainText(`UDP, port ${blackHole.port} of localhost`)
      await expect(figure(page, 'Packets lost')).toContainText('not known over TCP')
      await expect(page.locator('[data-f="mask"]')).toContainText('None over WebSocket')
    }
  })

  await it.step('a tab is kept to WebSocket and let go again; a followed agent loses nothing', async () => {
    const [{ id }] = await server.spawn('shell', '--name', 'counts', '--', 'sh', '-c', 'i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); sleep 0.04; done; read end')
    await use(page, 'WebSocket').click()
    await live(page, 'websocket')
    await expect(notice(page)).toContainText('This tab uses WebSocket only.')
    await expect(use(page, 'WebSocket')).toHaveAttribute('aria-pressed', 'true')
    await expect(finding(page, 'In use')).toContainText('this tab was told to use no other')
    await expect.poll(async () => (await server.sessions()).webtransport).toBe(0)

    // The choice applies to the tab's other pages, which offer the way back.
    await openAgent(page, server, id, 'websocket')
    await expect(notice(page)).toBeVisible()
    await expect(lines(page).nth(5)).toBeVisible()
    await notice(page).getByRole('button', { name: 'Back to automatic' }).click()
    await live(page, transport)
    await expect(notice(page)).toBeHidden()
    await server.cli('send', id, 'go')
    await expect(page.getByRole('main').locator('.agent-head .status')).toHaveText(/Completed/)
    const want = Array.from({ length: 100 }, (_, i) => `line ${i}`)
    await expect.poll(async () => (await lines(page).allTextContents()).filter((l) => l.startsWith('line'))).toEqual(want)

    await page.goto(`${server.http}/network`)
    await live(page, transport)
    await expect(use(page, 'Auto')).toHaveAttribute('aria-pressed', 'true')
    await expect(happened(page).filter({ hasText: 'WebSocket only.' })).toHaveCount(1)
    await expect(happened(page).filter({ hasText: 'Automatic.' })).toHaveCount(1)
    expect(await page.evaluate(() => JSON.parse(sessionStorage.getItem('skein.trail') ?? '[]').length)).toBeLessThanOrEqual(50)
    const other = await page.context().newPage()
    await other.goto(`${server.http}/network`)
    await live(other, transport)
    await expect(notice(other), 'another tab is free').toBeHidden()
  })
})

it('the figures, the choice of a transport, and a page without script', async ({ network: page, server, browser, transport, noise }) => {
  await it.step('the figures follow what goes over the session', async () => {
    await expect(cell(page, 'control', 'streams')).toHaveText('1')
    await expect(cell(page, 'agent', 'out')).toHaveText('–')
    const status = async () => parseSize(await cell(page, 'status', 'out').innerText())
    await expect.poll(status).toBeGreaterThan(0)
    const before = await status()
    const skein = client(server)
    await skein.spawn({ type: 'scripted', script: 'idle 1h', count: 100, name: 'many', labels: { text: 'x'.repeat(60) } })
    await expect.poll(status).toBeGreaterThan(before + 20_000)
    await expect.poll(async () => parseSize(await figure(page, 'To this page').locator('.figure-note').innerText())).toBeGreaterThan(before + 20_000)
    skein.close()
    const drawn = () => figure(page, 'To this page').locator('canvas').evaluate((c) => {
      const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height)
      return data.some((v, i) => i % 4 === 3 && v > 0)
    })
    await expect.poll(drawn, 'there is a curve').toBe(true)
  })

  await it.step('nothing is asked while the page is not seen', async () => {
    const asked = async () => {
      const text = await (await page.request.get(`${server.http}/metrics`)).text()
      return Number(/skein_rpcs_total\{code="ok",method="session.network"\} (\d+)/.exec(text)?.[1] ?? 0)
    }
    await expect.poll(asked).toBeGreaterThan(2)
    const hide = (/** @type {string} */ state) => page.evaluate((s) => {
      Object.defineProperty(document, 'visibilityState', { value: s, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))
    }, state)
    await hide('hidden')
    const then = await asked()
    const began = Date.now()
    await expect.poll(() => Date.now()).toBeGreaterThan(began + 2500) // two and a half polls
    expect(await asked()).toBeLessThanOrEqual(then + 1) // one was in progress
    await hide('visible')
    await expect.poll(asked).toBeGreaterThan(then + 2)
  })

  await it.step('axe finds nothing; the transport is chosen by the keyboard', async () => {
    await expect(figure(page, 'Round trip')).toContainText(/[\d.]+ ms/)
    await check(page, 'the network')
    await use(page, 'Auto').focus()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await expect(use(page, 'WebSocket')).toBeFocused()
    await page.keyboard.press('Enter')
    await live(page, 'websocket')
    await check(page, 'a tab that is kept to WebSocket')
    await notice(page).getByRole('button').focus()
    await page.keyboard.press('Enter')
    await live(page, transport)
  })

  await it.step('a tab that is kept to WebTransport', async () => {
    if (transport === 'websocket') noise.push(BROKEN)
    await use(page, 'WebTransport').click()
    await expect(notice(page)).toContainText('This tab uses WebTransport only.')
    if (transport === 'webtransport') {
      expect(await server.sessions(), 'the session that it has is good enough').toMatchObject({ webtransport: 1, websocket: 0 })
      await use(page, 'Auto').click()
    } else {
      await expect.poll(async () => (await server.sessions()).websocket).toBe(0)
      await expect(finding(page, 'In use')).toContainText('No session is open now.')
      await notice(page).getByRole('button').click()
    }
    await live(page, transport)
    await expect(notice(page)).toBeHidden()
  })

  await it.step('a page whose script never ran says what the server knows', async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false })
    const still = await plain.newPage()
    await still.goto(await server.loginURL())
    await still.getByRole('button').click()
    await still.goto(`${server.http}/network`)
    for (const { url } of (await server.connect()).doors) await expect(still.getByText(new RegExp(url.replace(/^.*:(\d+\/)/, ':$1') + '$'))).toBeVisible()
    await expect(cell(still, 'bulk', 'rate')).toHaveText('100 MB/s')
    await expect(still.getByText('Nothing yet. The result of each attempt')).toBeVisible()
    await plain.close()
  })
})

/** Bytes of a text such as "1.5 KiB · 20 B/s". @param {string} text */
function parseSize(text) {
  const [, n, unit] = /([\d.]+) (B|KiB|MiB)/.exec(text) ?? []
  return n ? Number(n) * { B: 1, KiB: 1 << 10, MiB: 1 << 20 }[unit] : 0
}
