import { check } from '../fixtures/axe.js'
import { sticksOut } from '../fixtures/layout.js'
import { dialog, expect, lives, only, openAgent, row, test } from '../fixtures/test.js'

/** How long the button must be held, as in static/app/lib/hold.js. */
const HOLD_MS = 1500

/** @param {import('@playwright/test').Page} page */
const button = (page) => page.getByRole('banner').getByRole('button', { name: /Stop everything|Hold to stop all/ })

/** @param {import('@playwright/test').Page} page */
const bar = (page) => page.getByRole('region', { name: 'Admission' })

/** @param {import('@playwright/test').Page} page presses the button with the mouse without releasing it */
async function press(page) {
  await button(page).hover()
  await page.mouse.down()
  await expect(button(page)).toHaveAttribute('data-holding')
}

/**
 * The values of a report.
 * @param {import('@playwright/test').Page} page
 * @param {string} name
 */
const fact = (page, name) => dialog(page, 'Everything is stopped').locator('dl > div').filter({ has: page.getByText(name, { exact: true }) }).getByRole('definition')

test('held, it stops fifty processes, and nothing starts until admission is opened', async ({ fleet: page, server, transport }) => {
  const agents = await server.spawn('shell', '--name', 'crew', '-n', '50', '--', 'sh', '-c', 'sleep 301 & exec sleep 300')
  await expect(page.getByText('50 agents, 50 alive')).toBeVisible()
  const elsewhere = await page.context().newPage()
  await openAgent(elsewhere, server, agents[0].id, transport)

  const began = Date.now()
  await press(page)
  await expect(dialog(page, /^(Stopping everything|Everything is stopped)$/)).toBeVisible()
  expect(Date.now() - began, 'it was held').toBeGreaterThan(HOLD_MS - 100)
  await page.mouse.up()
  await expect(dialog(page, 'Everything is stopped'), 'letting go closes nothing').toBeVisible()
  await expect(fact(page, 'Stopped')).toHaveText('50 agents')
  await expect(fact(page, 'Leftovers')).toHaveText('0')
  for (const a of agents) expect(lives(a.process.pid), a.name).toBe(false)
  expect((await server.agents()).filter((a) => a.status !== 'exited')).toEqual([])

  await expect(bar(elsewhere)).toContainText('Admission is closed') // on every page
  await expect(server.spawn('shell', '--', 'sleep', '300')).rejects.toThrow(/admission/i)
  await dialog(page, 'Everything is stopped').getByRole('button', { name: 'Close' }).last().click()
  await bar(page).getByRole('button', { name: 'Open admission' }).click()
  await expect(bar(page)).toBeHidden()
  await expect(bar(elsewhere)).toBeHidden()
  const [fresh] = await server.spawn('shell', '--name', 'fresh', '--', 'sleep', '300')
  await expect(row(page, 'fresh')).toContainText('Running')
  expect(lives(fresh.process.pid)).toBe(true)
})

test('letting go early does nothing, by mouse and by key', async ({ fleet: page, server }) => {
  const [agent] = await server.spawn('shell', '--name', 'spared', '--', 'sleep', '300')
  await expect(row(page, 'spared')).toContainText('Running')
  await page.clock.install()
  await page.clock.pauseAt(Date.now() + 1000) // so that the test decides how long the hold lasts
  await press(page)
  await page.clock.runFor(HOLD_MS - 100)
  await page.mouse.up()
  await expect(button(page)).not.toHaveAttribute('data-holding')
  await expect(button(page)).toHaveText('Hold to stop all')

  await press(page)
  await page.clock.runFor(HOLD_MS - 100)
  await page.mouse.move(5, 500) // off the button
  await page.mouse.up()

  await button(page).focus()
  for (const key of ['Enter', ' ']) {
    await page.keyboard.down(key)
    await page.clock.runFor(HOLD_MS - 100)
    await page.keyboard.up(key)
  }
  await page.keyboard.down('Enter')
  await page.keyboard.press('Escape')
  await page.clock.runFor(10 * HOLD_MS)
  await page.keyboard.up('Enter')

  await expect(page.getByRole('dialog')).toHaveCount(0)
  await expect(bar(page)).toBeHidden()
  expect(lives(agent.process.pid)).toBe(true)
  expect(await server.agent('spared')).toMatchObject({ status: 'running', desired: 'run' })
})

/**
 * Holds the button of an agent's page by a key, and opens admission again.
 * @param {import('@playwright/test').Page} page @param {import('../fixtures/server.js').Server} server
 * @param {'webtransport' | 'websocket'} transport @param {string} key
 */
async function holdKey(page, server, transport, key) {
  const [agent] = await server.spawn('shell', '--name', 'held', '--', 'sleep', '300')
  await openAgent(page, server, agent.id, transport)
  await button(page).focus()
  await page.keyboard.down(key)
  await expect(dialog(page, /^(Stopping everything|Everything is stopped)$/)).toBeVisible()
  for (let i = 0; i < 5; i++) await page.keyboard.down(key) // a held key repeats
  await page.keyboard.up(key)
  await expect(dialog(page, 'Everything is stopped')).toBeVisible()
  expect(lives(agent.process.pid)).toBe(false)
  await dialog(page, 'Everything is stopped').getByRole('button', { name: 'Open admission' }).click()
  await expect(bar(page)).toBeHidden()
  await server.spawn('scripted', '--script', 'exit 0')
}

test('held by the space bar, from an agent\'s page', { tag: '@soak' }, async ({ signedIn: page, server, transport }) => {
  await holdKey(page, server, transport, ' ')
})

test.describe('those that do not listen', () => {
  test.use({ config: `agent_types:
  stubborn:
    kind: exec
    argv: [sh, -c, 'trap "" TERM; echo up; while :; do sleep 0.1; done']
    stop_grace: 1500ms
  worker:
    kind: exec
    tasks: process
    argv: [sleep, "300"]
` })

  test('forced, asked by a click, asked by the chord, held by a key, and by a form', async ({ fleet: page, server, transport, browser }) => {
    await test.step('are forced, tasks are canceled, and the progress is seen', async () => {
      const [mule] = await server.spawn('stubborn', '--name', 'mule')
      const [lamb] = await server.spawn('shell', '--name', 'lamb', '--', 'sleep', '300')
      await server.cli('task', 'submit', '--type', 'worker', '--input', 'work')
      await expect(row(page, 'mule')).toContainText('up')
      await expect(page.getByText('3 agents, 3 alive')).toBeVisible()
      await press(page)
      await expect(dialog(page, 'Stopping everything')).toContainText('2 of 3 gone') // the third waits for SIGKILL
      await page.mouse.up()
      expect(lives(lamb.process.pid)).toBe(false)
      await expect(fact(page, 'Stopped')).toHaveText('3 agents')
      await expect(fact(page, 'Forced')).toHaveText('1')
      await expect(fact(page, 'Tasks canceled')).toHaveText('1')
      expect(lives(mule.process.pid)).toBe(false)
      await dialog(page, 'Everything is stopped').getByRole('button', { name: 'Open admission' }).click()
      await expect(bar(page)).toBeHidden()
    })

    await test.step('a click without a hold, as assistive technology makes it, asks, also after a hold that ended elsewhere', async () => {
      await button(page).evaluate((el) => /** @type {HTMLElement} */ (el).click())
      await expect(dialog(page, 'Stop everything?')).toBeVisible()
      await page.keyboard.press('Escape')
      await expect(dialog(page, 'Stop everything?')).toBeHidden()
    })

    await test.step('the chord asks first, also from a field and over a dialog', async () => {
      const [agent] = await server.spawn('shell', '--name', 'one', '--', 'sleep', '300')
      await expect(row(page, 'one')).toContainText('Running')
      await page.getByRole('searchbox', { name: /^Filter/ }).focus()
      await page.keyboard.press('Control+Shift+Period')
      const ask = dialog(page, 'Stop everything?')
      await expect(ask).toContainText('1 agent is alive')
      await expect(ask.getByRole('button', { name: 'Stop everything' })).toBeFocused()
      await page.keyboard.press('Escape')
      await expect(ask).toBeHidden()
      expect(lives(agent.process.pid)).toBe(true)

      await page.getByRole('button', { name: 'Spawn', exact: true }).click()
      await page.keyboard.press('Control+Shift+Period')
      await page.keyboard.press('Enter')
      await expect(dialog(page, 'Everything is stopped')).toBeVisible()
      expect(lives(agent.process.pid)).toBe(false)
      await dialog(page, 'Everything is stopped').getByRole('button', { name: 'Open admission' }).click()
      await expect(bar(page)).toBeHidden()
    })

    await test.step('held by Enter, from an agent\'s page', () => holdKey(page, server, transport, 'Enter'))

    await test.step('without script a form asks, and does it', async () => {
      const [agent] = await server.spawn('shell', '--name', 'asked', '--', 'sleep', '300')
      const context = await browser.newContext({ javaScriptEnabled: false })
      const plain = await context.newPage()
      await plain.goto(await server.loginURL())
      await plain.getByRole('button', { name: 'Sign in' }).click()
      await button(plain).click()
      const form = dialog(plain, 'Stop everything')
      await form.getByRole('button', { name: 'Stop everything' }).click()
      await expect(form, 'the box is not ticked').toBeVisible()
      expect(lives(agent.process.pid)).toBe(true)
      await form.getByRole('checkbox', { name: 'Yes, stop everything' }).check()
      await form.getByRole('button', { name: 'Stop everything' }).click()
      await expect(bar(plain)).toContainText('Admission is closed')
      await only(plain, 'Ended')
      await expect(row(plain, 'asked')).toContainText('Stopped')
      expect(lives(agent.process.pid)).toBe(false)
      await bar(plain).getByRole('button', { name: 'Open admission' }).click()
      await expect(bar(plain)).toBeHidden()
      await context.close()
    })
  })
})

test.describe('everybody can use it', () => {
  test.use({ contextOptions: { reducedMotion: 'reduce' } })

  test('in light and dark, wide and at 400 pixels', { tag: '@soak' }, async ({ fleet: page, server }) => {
    await server.spawn('shell', '--name', 'one', '--', 'sleep', '300')
    for (const width of [1440, 400]) {
      await page.setViewportSize({ width, height: 800 })
      await expect(button(page)).toBeInViewport({ ratio: 1 })
      await check(page, `the button at ${width}`)
      expect.soft(await sticksOut(page), `the page at ${width}`).toEqual({ page: 0, elements: [] })
      await page.keyboard.press('Control+Shift+Period')
      await check(page, `the question at ${width}`)
      await page.keyboard.press('Escape')
    }
    await page.keyboard.press('Control+Shift+Period')
    await page.keyboard.press('Enter')
    await expect(dialog(page, 'Everything is stopped')).toBeVisible()
    await check(page, 'the report')
    expect.soft(await sticksOut(page), 'the report').toEqual({ page: 0, elements: [] })
  })
})
