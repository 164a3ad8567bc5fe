import { CARRIERS, badge, expect, live, openAgent, test } from '../fixtures/test.js'

/** @param {import('@playwright/test').Page} page @param {string} term */
const fact = (page, term) => page.getByRole('dialog', { name: 'Connection' }).locator('div', { has: page.getByText(term, { exact: true }) }).getByRole('definition')

test('the badge, the metrics and the sessions of pages', async ({ fleet: page, server, transport, blackHole }) => {
  await test.step('the badge names the transport, and why it is not WebTransport', async () => {
    await expect(badge(page)).toHaveAccessibleName(new RegExp(`^${CARRIERS[transport]} [\\d.]+ ms`))
    await badge(page).click()
    await expect(fact(page, 'Transport')).toHaveText(CARRIERS[transport])
    await expect(fact(page, 'Round trip')).toHaveText(/^[\d.]+ ms$/)
    await expect(fact(page, 'Session')).toHaveText(/^[A-Z0-9]{12}$/)
    const why = fact(page, 'Why not WebTransport')
    if (transport === 'websocket') {
      await expect(why).toHaveText(/did not answer within 500 ms.*UDP/)
      expect(blackHole.packets, 'WebTransport was tried').toBeGreaterThan(0)
    } else {
      await expect(why).toBeHidden()
    }
    expect(await server.sessions()).toEqual({ webtransport: 0, websocket: 0, [transport]: 1 })
  })

  await test.step('the browser is told what /metrics counts', async () => {
    const text = await (await page.request.get(`${server.http}/metrics`)).text()
    expect(text).toContain(`skein_sessions{transport="${transport}"} 1`)
    expect(text).toMatch(/^skein_agents\{status="running"\} 0$/m)
  })

  await test.step('every page is one session, and a closed page none', async () => {
    const [{ id }] = await server.spawn('scripted', '--script', 'idle 1h')
    const second = await page.context().newPage()
    await openAgent(second, server, id, transport)
    await expect.poll(async () => (await server.sessions())[transport]).toBe(2)
    await second.close()
    await expect.poll(async () => (await server.sessions())[transport]).toBe(1)
    await page.goto(`${server.http}/stories`) // a page without a session
    await expect.poll(async () => (await server.sessions())[transport]).toBe(0)
    await page.goBack()
    await live(page, transport)
    await expect.poll(async () => (await server.sessions())[transport]).toBe(1)
  })
})
