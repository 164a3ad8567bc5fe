import { check } from '../fixtures/axe.js'
import { dialog, expect, live, test } from '../fixtures/test.js'

/** @typedef {import('@playwright/test').Page} Page */

const box = (/** @type {Page} */ page) => dialog(page, 'Find anything').getByRole('combobox', { name: 'Find anything' })
const group = (/** @type {Page} */ page, /** @type {string} */ name) => dialog(page, 'Find anything').getByRole('group', { name, exact: true })
const said = (/** @type {Page} */ page) => dialog(page, 'Find anything').getByRole('status').last()

test('the keyboard alone finds agents, tasks, memory, artifacts, schedules, pages and commands, and opens them', async ({ fleet: page, server, transport, context }) => {
  const [{ id }] = await server.spawn('scripted', '--name', 'sailmaker', '--script', 'say mending the jib\nidle 1h')
  await server.spawn('scripted', '--name', 'asks', '--script', 'ask Shall I hoist the spinnaker?')
  await server.cli('memory', 'set', 'harbour', 'sail-plan', 'reef early')
  await server.cli('task', 'submit', '--name', 'sail home', '--', 'sleep', '300')
  await expect.poll(async () => (await server.agent('asks')).activity).toBe('requires_action')
  await page.getByRole('searchbox', { name: /^Filter/ }).focus()
  await page.keyboard.press('Control+k')
  await page.keyboard.type('sail') // at once, while what finds it is being loaded
  await expect(box(page)).toBeFocused()
  await expect(box(page)).toHaveValue('sail')
  await box(page).clear()
  await expect(group(page, 'Commands').getByRole('option', { name: /^Spawn agents/ })).toBeVisible()
  await expect(group(page, 'Pages').getByRole('option', { name: 'Inbox' })).toBeVisible()

  await page.keyboard.type('sail')
  await expect(group(page, 'Agents').getByRole('option')).toHaveText([/^\s*sailmaker\s*mending the jib\s*Running/])
  await expect(group(page, 'Tasks').getByRole('option', { name: /^sail home/ })).toBeVisible()
  await expect(group(page, 'Memory').getByRole('option', { name: /^harbour\/sail-plan/ })).toBeVisible()
  await expect(group(page, 'Agents').locator('mark')).toHaveText(['sail'])
  const active = dialog(page, 'Find anything').getByRole('option', { selected: true })
  await expect(active).toHaveCount(1)
  await expect(box(page)).toHaveAttribute('aria-activedescendant', String(await active.getAttribute('id')))
  await page.keyboard.press('End')
  await expect(dialog(page, 'Find anything').getByRole('option').last()).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('ArrowDown') // past the end to the beginning
  await expect(dialog(page, 'Find anything').getByRole('option').first()).toHaveAttribute('aria-selected', 'true')
  await check(page, 'what was found')
  await page.setViewportSize({ width: 400, height: 800 })
  expect(await dialog(page, 'Find anything').evaluate((el) => el.scrollWidth <= el.clientWidth && el.getBoundingClientRect().right <= innerWidth)).toBe(true)
  await page.setViewportSize({ width: 1280, height: 800 })

  await page.keyboard.press('Escape')
  await expect(dialog(page, 'Find anything')).toBeHidden()
  await expect(page.getByRole('searchbox', { name: /^Filter/ })).toBeFocused()

  // What is typed at once, before the page was told that the dialog was closed, stays.
  await page.keyboard.press('Control+k')
  await box(page).fill('harbour')
  await page.evaluate(() => {
    const palette = /** @type {HTMLDialogElement} */ (document.querySelector('#palette'))
    palette.close()
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true }))
    const input = /** @type {HTMLInputElement} */ (palette.querySelector('input'))
    input.value += 'sail'
    input.dispatchEvent(new Event('input'))
  })
  await expect(group(page, 'Tasks').getByRole('option', { name: /^sail home/ })).toBeVisible()
  await expect(box(page)).toHaveValue('sail')
  await page.keyboard.press('Escape')

  await page.keyboard.press('Control+k')
  await page.keyboard.type('spinaker') // with a letter missing, and in the question
  await expect(active).toHaveText(/^\s*asks\s*Shall I hoist the spinnaker\?\s*Needs you/)
  const [tab] = await Promise.all([context.waitForEvent('page'), page.keyboard.press('Control+Enter')])
  await expect(tab).toHaveURL(/\/agents\//)
  await tab.close()

  await box(page).fill('sailm')
  await expect(active).toHaveText(/^\s*sailmaker/)
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(`${server.http}/agents/${id}`)
  await live(page, transport)
  await page.keyboard.press('Control+k')
  await expect(group(page, 'Used lately').getByRole('option').first()).toHaveText(/^\s*sailmaker/)
  await page.keyboard.type('stop every')
  await expect(active).toHaveText(/^\s*Stop everything…/)
  await page.keyboard.press('Enter')
  await expect(dialog(page, 'Stop everything?')).toBeVisible()
  expect((await server.agent('sailmaker')).status, 'nothing is stopped before it is confirmed').toBe('running')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+k')
  await page.keyboard.type('spawn ag')
  await page.keyboard.press('Enter') // which is on another page
  await expect(dialog(page, 'Spawn agents')).toBeVisible()
  await expect(page).toHaveURL(`${server.http}/`)
})

test('a line of an output is found, and its page shows that line; nothing found says so, and so does a lost connection', async ({ fleet: page, server, transport, noise }) => {
  const [{ id }] = await server.spawn('scripted', '--name', 'talker', '--script', 'flood 16 early ${i}\nsay a needle <b>17</b>\nsay another needle\nflood 8000 late ${i}\nsay the end\nidle 1h')
  await expect.poll(async () => (await server.agent('talker')).last_line).toBe('the end')
  await page.getByRole('button', { name: 'Find anything' }).click()
  await box(page).fill('needle')
  const found = group(page, 'In outputs').getByRole('option')
  const further = found.filter({ hasText: /^\s*Search further/ }) // which a busy machine offers
  await expect(async () => {
    if (await further.isVisible()) await further.click()
    await expect(found.first()).toHaveText(/^\s*talker\s*another needle/, { timeout: 1000 })
    await expect(found.nth(1)).toHaveText(/^\s*talker\s*a needle <b>17<\/b>/, { timeout: 1000 })
  }).toPass()
  await expect(found.locator('mark')).toHaveText(['needle', 'needle'])
  await found.nth(1).click()
  await expect(page).toHaveURL(new RegExp(`/agents/${id}\\?find=needle&at=\\d+\\.\\d+$`))
  await live(page, transport)
  const current = page.locator('.ln[data-current] .tx')
  await expect(current).toHaveText('a needle <b>17</b>')
  await expect(current).toBeInViewport()
  await expect(page.getByRole('search').getByRole('status')).toHaveText('1 of 2')
  await expect(page.getByRole('region', { name: 'Lines around the match' })).toBeVisible() // the page had not loaded it

  await page.keyboard.press('Control+k')
  await box(page).fill('xyzzy')
  await expect(async () => {
    if (await further.isVisible()) await further.click()
    await expect(dialog(page, 'Find anything')).toContainText('In outputs: No line has it.', { timeout: 1000 })
  }).toPass()
  await expect(said(page)).toHaveText('Nothing was found.')
  await check(page, 'nothing was found')

  await server.spawn('shell', '--tty', '--name', 'term', '--', 'sh', '-c', 'for i in $(seq 1 300); do echo line $i of the terminal; done; exec sleep 300')
  await expect.poll(async () => (await server.agent('term')).last_line ?? '').toContain('line 300')
  await box(page).fill('line 150 of')
  await expect(found.first()).toHaveText(/^\s*term\s*line 150 of the terminal/)
  await found.first().click()
  await expect(page.locator('.xterm-rows')).toContainText('line 150 of the terminal')
  await page.keyboard.press('Control+k') // which is the program's
  await page.getByRole('button', { name: 'Find anything' }).click()

  noise.push(/./)
  await server.kill()
  await expect(dialog(page, 'Find anything')).toContainText('There is no connection: only what this page knows is searched.', { timeout: 60_000 })
  await box(page).fill('talk')
  await expect(group(page, 'Agents').getByRole('option')).toHaveText([/^\s*talker/])
})
