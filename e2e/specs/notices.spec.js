import { client } from '../fixtures/client.js'
import { dialog, expect, live, openAgent, row, test, toast } from '../fixtures/test.js'

// What a page tells beside its content: notices, the title, the icons, and what a system needs that installs it as an app.

/** @import { Page } from '@playwright/test' */

const WIDTHS = [{ width: 1440, height: 900 }, { width: 1024, height: 768 }, { width: 400, height: 850 }]

const notices = (/** @type {Page} */ page) => page.locator('#toasts')

/**
 * What can be pressed below the notices. It looks through them at every few pixels.
 * @param {Page} page
 */
const covered = (page) => page.evaluate(() => {
  const region = /** @type {HTMLElement} */ (document.getElementById('toasts'))
  const { left, top, right, bottom } = region.getBoundingClientRect()
  if (right <= left || left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) return [`they are at ${[left, top, right, bottom]}`]
  region.style.pointerEvents = 'none'
  const found = new Set()
  for (let x = left + 1; x < right; x += 4) {
    for (let y = top + 1; y < bottom; y += 4) {
      const control = document.elementFromPoint(x, y)?.closest('a, button, input, select, textarea, summary, .xterm')
      if (control) found.add(control.outerHTML.slice(0, 120))
    }
  }
  region.style.pointerEvents = ''
  return [...found]
})

/** @param {Page} page @param {string} where */
async function coverNothing(page, where) {
  await expect(notices(page), where).toBeVisible()
  await expect.poll(() => covered(page), where).toEqual([])
  expect(await notices(page).getByRole('listitem').count(), where).toBeLessThanOrEqual(2)
}

test('notices cover nothing that can be pressed, at any width, and equal ones are counted', async ({ fleet: page, server }) => {
  const skein = client(server)
  await server.spawn('scripted', '--name', 'sleeper', '-n', '40', '--script', 'say waiting\nidle 1h')
  await server.spawn('shell', '--name', 'broken', '-n', '2', '--', 'sh', '-c', 'exit 3')
  await skein.admission.set({ closed: true, reason: 'test' })
  await expect(row(page, 'broken-1')).toContainText('Failed')
  for (const [i, size] of WIDTHS.entries()) {
    await page.setViewportSize(size)
    await page.evaluate(() => scrollTo(0, 0))
    await page.getByRole('button', { name: 'Spawn again: broken-1' }).click()
    const refused = toast(page, 'shell was not spawned')
    if (i > 0) await expect(refused).toContainText(`${i + 1} times`)
    await coverNothing(page, `the list, ${size.width}`)
    for (const name of ['sleeper-40', 'sleeper-39']) await row(page, name).getByRole('checkbox').check()
    await coverNothing(page, `the selection, ${size.width}`)
    await page.evaluate(() => scrollTo(0, 777))
    await coverNothing(page, `the list, scrolled, ${size.width}`)
    await page.getByRole('region', { name: 'Selection' }).getByRole('button', { name: 'Clear' }).click()
    await page.evaluate(() => scrollTo(0, 0))
    await page.getByRole('button', { name: 'Spawn', exact: true }).click()
    await coverNothing(page, `the form, ${size.width}`)
    await page.keyboard.press('Escape')
  }
  // In a dialog, which is all that can be reached, they can be closed, and are read out.
  await page.getByRole('button', { name: 'Spawn', exact: true }).click()
  await expect(dialog(page, 'Spawn agents').locator('#toast-said')).toHaveText(/^Shell was not spawned|^shell was not spawned. 3 times/)
  await dialog(page, 'Spawn agents').getByRole('button', { name: 'Dismiss notification' }).click()
  await expect(dialog(page, 'Spawn agents')).toBeVisible()
  await expect(notices(page)).toBeHidden()
  skein.close()
})

test('notices at an agent\'s page cover neither its terminal nor its reply box; what was done goes by itself, and errors stay', async ({ signedIn: page, server, transport }) => {
  await page.clock.install()
  const [terminal] = await server.spawn('shell', '--tty', '--name', 'terminal', '--', 'cat')
  const [cat] = await server.spawn('shell', '--name', 'cat', '--', 'cat')
  const refuses = () => page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error('not now'))))
  const copy = page.getByRole('button', { name: /^Copy (the )?id/i })
  for (const { id } of [terminal, cat]) {
    for (const size of WIDTHS) {
      await page.setViewportSize(size)
      await openAgent(page, server, id, transport)
      await refuses()
      await copy.click()
      await expect(toast(page, 'The id was not copied')).toContainText('Not now')
      await coverNothing(page, `${id}, ${size.width}`)
    }
  }
  await page.getByRole('button', { name: 'Send EOF' }).click()
  await expect(toast(page, 'End of input is sent')).toBeVisible()
  await page.mouse.move(1, 1)
  await page.clock.fastForward(60_000)
  await expect(notices(page).getByRole('listitem')).toHaveText([/The id was not copied/])
  await page.getByRole('button', { name: 'Dismiss notification' }).focus()
  await page.keyboard.press('Enter')
  await expect(notices(page)).toBeHidden()
  expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY')
})

test('the title, the icon and the sign of the app tell how many wait, on every page, and the pages can be installed', async ({ signedIn: page, server, transport, context }) => {
  await context.addInitScript(() => {
    const app = /** @type {any} */ (globalThis)
    app.badges = []
    Object.assign(navigator, { setAppBadge: async (/** @type {number} */ n) => app.badges.push(n), clearAppBadge: async () => app.badges.push(0) })
  })
  const icon = page.locator('link[rel="icon"]')
  const badges = () => page.evaluate(() => /** @type {any} */ (globalThis).badges.at(-1))
  await page.goto(`${server.http}/tasks`)
  await live(page, transport)
  await expect(page).toHaveTitle('Tasks · Skein')
  await expect(icon).toHaveAttribute('href', /icon\.svg/)
  await expect.poll(badges).toBe(0)
  await server.spawn('scripted', '--name', 'asks', '-n', '2', '--script', 'ask Shall I go on?')
  await expect(page).toHaveTitle('(2) Tasks · Skein')
  await expect(icon).toHaveAttribute('href', /icon-asks\.svg/)
  await expect.poll(badges).toBe(2)
  for (const path of ['/', '/wall', '/inbox', '/memory', '/network', '/usage', '/artifacts', '/schedules']) {
    await page.goto(server.http + path)
    await expect(page, path).toHaveTitle(/^\(2\) /)
    await expect(icon, path).toHaveAttribute('href', /icon-asks\.svg/)
    const shown = await page.evaluate(async (href) => (await fetch(String(href))).headers.get('content-type'), await icon.getAttribute('href'))
    expect(shown).toBe('image/svg+xml')
  }
  await live(page, transport)
  await server.cli('stop', '--all')
  await expect(page).toHaveTitle('Schedules · Skein')
  await expect(icon).toHaveAttribute('href', /icon\.svg/)
  await expect.poll(badges).toBe(0)

  const devtools = await context.newCDPSession(page)
  const { data, errors } = await devtools.send('Page.getAppManifest')
  expect(errors).toEqual([])
  expect(JSON.parse(data ?? '{}')).toMatchObject({ name: 'Skein', start_url: '/', display: 'standalone' })
  // Only the whole browser, which make soak runs, looks for what lacks. A private window, as the test's is, installs nothing.
  const lacks = async () => (await devtools.send('Page.getInstallabilityErrors')).installabilityErrors.map((e) => e.errorId).filter((id) => id !== 'in-incognito')
  expect(await lacks()).toEqual([])
  await page.goto(`${server.http}/healthz`)
  expect(await lacks()).toEqual(process.env.EVERY ? ['no-manifest'] : [])
})
