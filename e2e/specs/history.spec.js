import { check } from '../fixtures/axe.js'
import { sticksOut } from '../fixtures/layout.js'
import { expect, test } from '../fixtures/test.js'

test('the fleet is seen as it was, moment by moment', async ({ signedIn: page, server }) => {
  const [teller] = await server.spawn('shell', '--name', 'teller', '--', 'sh', '-c', 'echo one; read x; echo two; exec sleep 300')
  const [asks] = await server.spawn('scripted', '--name', 'asks', '--script', 'ask Deploy now?\nsay thanks\nidle 1h')
  const [screen] = await server.spawn('shell', '--tty', '--name', 'screen', '--', 'sh', '-c', `stty -echo; printf 'first \\033[1mscreen\\033[0m'; read x; printf '\\033[2J\\033[Hsecond'; exec sleep 300`)
  await expect.poll(async () => (await server.agent('asks')).activity).toBe('requires_action')
  for (const [id, text] of [[teller.id, 'one'], [screen.id, 'first']]) await expect.poll(() => server.cli('logs', id)).toContain(text)
  const then = new Date().toISOString()
  await page.waitForTimeout(1100) // the page's times are in whole seconds where a person reads them
  await server.cli('send', teller.id, 'go')
  await server.cli('send', asks.id, 'yes')
  await server.cli('send', screen.id, 'go')
  await expect.poll(() => server.cli('logs', teller.id)).toContain('two')
  await expect.poll(() => server.cli('logs', asks.id)).toContain('thanks')
  await expect.poll(() => server.cli('logs', screen.id)).toContain('second')
  await server.cli('stop', teller.id)

  // The link to a moment shows it.
  const cell = (/** @type {string} */ name) => page.getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) })
  const shows = (/** @type {string} */ name) => page.getByRole('group', { name: `What ${name} showed` })
  await page.goto(`${server.http}/history?at=${encodeURIComponent(then)}`)
  await expect(page.getByRole('status').filter({ hasText: 'alive' })).toHaveText('3 agents were alive, 1 waited for a person')
  await expect(shows('teller')).toHaveText('one')
  await expect(shows('screen')).toHaveText('first screen')
  await expect(shows('screen').locator('.a-b')).toHaveText('screen')
  await expect(cell('asks')).toContainText('Deploy now?')
  await expect(page.getByRole('listitem').first()).toContainText('asks')
  await check(page, 'the fleet as it was')
  for (const width of [400, 1024]) {
    await page.setViewportSize({ width, height: 800 })
    expect(await sticksOut(page)).toEqual({ elements: [], page: 0 })
  }
  await page.setViewportSize({ width: 1440, height: 900 })

  // The slider goes to its end, which is now.
  const slider = page.getByRole('slider', { name: 'Moment' })
  await slider.focus()
  await page.keyboard.press('End')
  await expect(page.getByRole('status').filter({ hasText: 'alive' })).toHaveText('2 agents were alive')
  await expect(shows('screen')).toHaveText('second')
  await expect(cell('asks')).not.toContainText('Deploy now?')
  await expect(page).toHaveURL(/\/history\?at=/)
  const later = page.url()

  // It plays from the beginning to the end by itself.
  await page.getByRole('button', { name: '100×' }).click()
  await page.getByRole('button', { name: 'Play' }).click()
  await expect(page.getByRole('button', { name: 'Play' })).toHaveAttribute('aria-pressed', 'false')
  await expect(shows('screen')).toHaveText('second')
  await page.getByRole('link', { name: '−1 h' }).click()
  await expect(page.getByRole('status').filter({ hasText: 'alive' })).toHaveText(/^(No agent was|1 agent was) alive/)
  await page.goto(later)
  await expect(shows('screen')).toHaveText('second')
})

test('a moment that is none is refused, and one without script has its links', async ({ server, signedIn: page }) => {
  const bad = await page.request.get(`${server.http}/history?at=yesterday`)
  expect(bad.status()).toBe(400)
  expect(await bad.text()).toContain('A moment has the form')
  const [one] = await server.spawn('shell', '--name', 'one', '--', 'sh', '-c', 'echo hello; exec sleep 300')
  await expect.poll(() => server.cli('logs', one.id)).toContain('hello')
  const html = await (await page.request.get(`${server.http}/history`)).text()
  expect(html).toContain('hello')
  expect(html).toMatch(/href="[^"]*\/history\?at=[^"]*"[^>]*title="An hour earlier"/)
})
