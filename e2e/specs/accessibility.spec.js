import { someAgents } from '../fixtures/agents.js'
import { check } from '../fixtures/axe.js'
import { REFUSED, badge, confirmStop, dialog, expect, lines, live, openAgent, row, rows, state, test } from '../fixtures/test.js'

test('an empty fleet, and what the badge opens', async ({ fleet: page }) => {
  await check(page, 'an empty fleet')
  await badge(page).click()
  await expect(dialog(page, 'Connection')).toBeVisible()
  await check(page, 'the connection')
})

test('a fleet in several states, its dialogs, an agent', async ({ fleet: page, server, transport }) => {
  const running = await someAgents(server)
  await expect(row(page, 'running')).toContainText('Running')
  await expect(rows(page)).toHaveCount(6) // what was stopped is not among them
  await check(page, 'the fleet')

  await row(page, 'running').getByRole('checkbox').check()
  await check(page, 'a selection')
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: 'Spawn', exact: true }).click()
  const form = dialog(page, 'Spawn agents')
  await form.getByText('Terminal, folder, input, environment, labels').click()
  await check(page, 'the spawn form')
  await form.getByRole('radio', { name: /^shell/ }).check()
  await form.getByRole('button', { name: /^Spawn/ }).click()
  await expect(form.getByRole('textbox', { name: 'Command', exact: true })).toHaveAttribute('aria-invalid', 'true')
  await check(page, 'the spawn form with a mistake')
  await page.keyboard.press('Escape')

  await row(page, 'running').getByRole('button', { name: 'Stop running' }).click()
  await check(page, 'the question before a stop')
  await page.keyboard.press('Escape')
  await page.keyboard.press('?')
  await expect(dialog(page, 'Keyboard')).toBeVisible()
  await check(page, 'the keys')
  await page.keyboard.press('Escape')

  await openAgent(page, server, running.id, transport)
  await expect(lines(page)).toHaveCount(2)
  await page.getByRole('searchbox', { name: 'Search the output' }).fill('green')
  await check(page, 'an agent')
  await openAgent(page, server, (await server.agent('asks')).id, transport)
  await check(page, 'an agent that asks')
  await openAgent(page, server, (await server.agent('failed')).id, transport)
  await check(page, 'an agent that failed')
})

test('a login that was refused', async ({ page, server, noise }) => {
  noise.push(REFUSED)
  await page.goto(server.http)
  await check(page, 'a stranger')
  await page.goto(`${server.http}/login?token=nonsense`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('This was refused')
  await check(page, 'a refused login')
})

test('every component in every state', async ({ signedIn: page, server, transport }) => {
  test.skip(transport === 'websocket', 'the components are the same over either transport')
  test.setTimeout(400_000)
  await page.goto(`${server.http}/stories`)
  await expect(page.getByRole('heading', { name: 'Stories' })).toBeVisible()
  const names = await page.locator('.story > h2').allTextContents()
  expect(names.length).toBeGreaterThan(10)
  const strays = await page.evaluate(() => ['for', 'form', 'list', 'aria-labelledby', 'aria-describedby', 'aria-controls', 'aria-activedescendant'].flatMap((name) =>
    [...document.querySelectorAll(`.story [${name}]`)].flatMap((el) => (el.getAttribute(name) ?? '').split(/\s+/).filter((id) => {
      const own = el.closest('.story')?.querySelector(`[id="${CSS.escape(id)}"]`)
      return !own && document.getElementById(id)?.closest('.story')
    }).map((id) => `${name} ${id}`))))
  expect(strays, 'a story refers to nothing in another, which would hide from axe that it refers to nothing').toEqual([])
  await page.setViewportSize({ width: 400, height: 900 })
  const cut = await page.evaluate(() => [...document.querySelectorAll('.story :is(.dialog, .dialog-body)')].filter((el) => el.scrollWidth > el.clientWidth + 1)
    .map((el) => el.closest('.story')?.querySelector('h2')?.textContent))
  expect(cut, 'no dialog is wider than a phone').toEqual([])
  await page.setViewportSize({ width: 1440, height: 900 })
  const few = 10 // the time that axe takes grows faster than a page, and has a part for each page
  for (let from = 0; from < names.length; from += few) {
    await page.evaluate(({ from, few }) => {
      globalThis.stories ??= [...document.querySelectorAll('.story')]
      for (const story of globalThis.stories) story.remove()
      document.querySelector('.stories')?.append(...globalThis.stories.slice(from, from + few))
    }, { from, few })
    // Each story is on the page in light and in dark, whatever the page around them is: that is looked at in dark with the first ones.
    await check(page, `the stories “${names.slice(from, from + few).join('”, “')}”`, ['landmark-unique'], from === 0 ? ['light', 'dark'] : ['light'])
  }
})

test('a fleet is run by the keyboard alone', async ({ fleet: page, server, transport }) => {
  const key = (/** @type {string} */ k) => page.keyboard.press(k)
  await key('n')
  const form = dialog(page, 'Spawn agents')
  await expect(form).toBeVisible()
  await expect(form.getByRole('radio', { checked: true })).toBeFocused()
  await key('Escape')
  await expect(form).toBeHidden()

  await key('n')
  const radios = form.getByRole('radio')
  for (let i = 0; i < (await radios.count()) && !(await form.getByRole('radio', { name: /^shell/ }).isChecked()); i++) await key('ArrowDown')
  await expect(form.getByRole('radio', { name: /^shell/ })).toBeChecked()
  const box = form.getByRole('textbox', { name: 'Command', exact: true })
  while (!(await box.evaluate((el) => el === document.activeElement))) await key('Tab')
  await page.keyboard.type("sh -c 'echo typed; exec sleep 300'")
  await key('Control+Enter')
  await expect(form).toBeHidden()
  const first = page.getByRole('link', { name: /^shell-/ })
  await expect(first, 'the focus is on what was spawned').toBeFocused()

  await server.spawn('shell', '--name', 'second', '--', 'sleep', '300')
  await expect(rows(page)).toHaveCount(2)
  await key('k')
  await expect(page.getByRole('link', { name: 'second', exact: true })).toBeFocused()
  await key('j')
  await expect(first).toBeFocused()
  await key('x')
  await expect(page.getByRole('region', { name: 'Selection' })).toContainText('1 agent selected')
  await key('Escape')
  await expect(page.getByRole('region', { name: 'Selection' })).toBeHidden()

  await key('/')
  await expect(page.getByRole('searchbox', { name: /^Filter/ })).toBeFocused()
  await page.keyboard.type('second')
  await expect(rows(page)).toHaveCount(1)
  await key('Enter')
  await expect(page.getByRole('link', { name: 'second', exact: true })).toBeFocused()
  await key('s')
  await expect(page.getByRole('dialog', { name: 'Stop second?' })).toBeVisible()
  await key('Enter')
  await expect(row(page, 'second')).toContainText('Stopped')
  await expect(page.getByRole('dialog'), 'it closes with the answer').toBeHidden()

  await key('/')
  await key('Escape')
  await expect(rows(page), 'what was stopped is not at work').toHaveCount(1)
  await key('j')
  await expect(first).toBeFocused()
  await key('Enter')
  await expect(page).toHaveURL(/\/agents\//)
  await live(page, transport)
  await expect(lines(page)).toHaveText(['typed'])
  await key('/')
  await expect(page.getByRole('searchbox', { name: 'Search the output' })).toBeFocused()
  await key('Escape')
  await key('i')
  await expect(page.getByRole('textbox', { name: /standard input/ })).toBeFocused()
  await key('Escape')
  await key('s')
  await confirmStop(page)
  await expect(state(page)).toHaveText(/Stopped/)
  await expect(page.getByRole('dialog')).toBeHidden()
  await key('u')
  await expect(page.getByRole('heading', { name: 'Fleet', level: 1 })).toBeVisible()
})
