import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { sticksOut } from '../fixtures/layout.js'
import { BROKEN, STOPPING, expect, live, signIn, test } from '../fixtures/test.js'

/** @param {import('@playwright/test').Page} page */
const rows = (page) => page.getByRole('list', { name: 'Schedules' }).getByRole('listitem')

/** @param {import('@playwright/test').Page} page @param {string} name */
const row = (page, name) => rows(page).filter({ has: page.getByRole('link', { name, exact: true }) })

/**
 * @param {import('@playwright/test').Page} page
 * @param {import('../fixtures/server.js').Server} server
 * @param {string} path
 * @param {'webtransport' | 'websocket'} transport
 */
async function open(page, server, path, transport) {
  await page.goto(server.http + path)
  await live(page, transport)
}

/** @param {import('../fixtures/server.js').Server} server @param {string} name */
const schedule = async (server, name) => JSON.parse(await server.cli('schedule', 'show', name, '--json'))

test('a schedule is made, run, paused, changed and deleted', async ({ fleet: page, server, transport }) => {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Schedules' }).click()
  await live(page, transport)
  await expect(page.getByRole('heading', { name: 'Nothing is scheduled' })).toBeVisible()
  await check(page, 'no schedules')

  // The form says when it would run, and what is wrong.
  await page.keyboard.press('n')
  await expect(page).toHaveTitle('New schedule · Skein')
  await live(page, transport)
  const form = page.locator('#schedule-form')
  const preview = page.locator('#preview')
  await form.getByRole('textbox', { name: 'Name' }).fill('<b>report</b>')
  await form.getByLabel('Time zone').fill('Europe/Berlin')
  await expect(preview).toContainText('At 09:00 on Monday to Friday Europe/Berlin')
  await expect(preview.getByRole('listitem')).toHaveCount(5)
  await form.getByLabel('Expression').fill('0 0 30 2 *')
  await expect(form.getByText('"0 0 30 2 *" never comes')).toBeVisible()
  await expect(form.getByLabel('Expression')).toHaveAttribute('aria-invalid', 'true')
  await check(page, 'a form with a mistake')
  await form.getByLabel('Expression').fill('0 6 * * *')
  await expect(preview).toContainText('At 06:00 every day')
  await form.getByLabel('Who does the task').selectOption('shell')
  await form.getByLabel('Command').fill(`sh -c 'echo "hello  you"'`)
  await check(page, 'the form of a schedule')
  await form.getByRole('button', { name: 'Create' }).click()

  await expect(page).toHaveURL(`${server.http}/schedules`)
  await live(page, transport)
  const mine = row(page, '<b>report</b>')
  await expect(mine).toContainText('At 06:00 every day Europe/Berlin')
  await expect(mine).toContainText(/in .*06:00 CES?T/)
  expect((await schedule(server, '<b>report</b>')).task.argv).toEqual(['sh', '-c', 'echo "hello  you"'])

  await mine.getByRole('button', { name: /^Run now/ }).click()
  await expect(mine.getByRole('link', { name: 'Completed' })).toBeVisible()
  await check(page, 'schedules')
  await mine.getByRole('button', { name: /^Pause/ }).click()
  await expect(mine).toContainText('paused')
  await mine.getByRole('button', { name: /^Resume/ }).click()
  await expect(mine).not.toContainText('paused')

  // By the keyboard.
  await page.keyboard.press('j')
  await page.keyboard.press('p')
  await expect(mine).toContainText('paused')
  await page.keyboard.press('Enter')
  await expect(page).toHaveTitle('<b>report</b> · Skein')
  await live(page, transport)
  const runs = page.getByRole('region', { name: 'Last runs' })
  await expect(runs.getByRole('listitem')).toHaveText([/Completed.*Run by hand, by dashboard/])
  await expect(page.getByRole('region', { name: 'Next runs' })).toContainText('It is paused')
  await page.keyboard.press('r')
  await expect(runs.getByRole('listitem')).toHaveCount(2)
  await check(page, 'a schedule')

  // What is changed is kept, and what the form has no field for.
  await page.keyboard.press('e')
  await expect(page.getByRole('heading', { name: 'Edit the schedule' })).toBeVisible()
  await live(page, transport)
  await form.getByRole('textbox', { name: 'Name' }).fill('report')
  await form.getByLabel('Input').fill('first\n<i>second</i>')
  await form.getByRole('checkbox', { name: /Paused/ }).uncheck()
  await form.getByRole('textbox', { name: 'Name' }).press('Control+Enter')
  await expect(page).toHaveTitle('report · Skein')
  await expect(page.getByRole('region', { name: 'Task' })).toContainText('<i>second</i>')
  await expect(page.getByRole('region', { name: 'Next runs' }).getByRole('listitem')).toHaveCount(5)

  await runs.getByRole('link', { name: 'Completed' }).first().click()
  await expect(page.getByRole('main')).toContainText('hello  you')
  await page.goBack()
  await live(page, transport)
  await page.keyboard.press('d')
  await expect(page.getByRole('heading', { name: 'Delete report?' })).toBeVisible()
  await check(page, 'the question before a schedule is deleted')
  await page.getByRole('button', { name: 'Delete', exact: true }).click()
  await expect(page.getByRole('heading', { name: 'Nothing is scheduled' })).toBeVisible()
})

test('what others do appears, and a run at an instant comes', async ({ fleet: page, server, transport, noise }) => {
  noise.push(/^Failed to load resource: the server responded with a status of 409/, STOPPING, BROKEN)
  await open(page, server, '/schedules', transport)
  await server.cli('schedule', 'add', 'nightly', '--cron', '30 3 * * *', '--tz', 'America/New_York', '--paused', '--label', 'team=a', '--', 'true')
  await expect(row(page, 'nightly')).toContainText('At 03:30 every day America/New_York')
  const soon = new Date(Date.now() + 1000).toISOString()
  await server.cli('schedule', 'add', 'soon', '--at', soon, '--', 'echo', 'it came')
  await expect(row(page, 'soon')).toContainText(/Completed/)
  await expect(row(page, 'soon')).toContainText('over')
  await expect(rows(page)).toHaveCount(2)
  await expect(page.getByText('2 schedules, 1 paused')).toBeVisible()
  await row(page, 'soon').getByRole('link', { name: 'Completed' }).click()
  await expect(page.getByRole('main')).toContainText('it came')

  // Somebody changes it while somebody else does.
  const { id } = await schedule(server, 'nightly')
  await open(page, server, `/schedules/${id}?edit`, transport)
  await server.cli('schedule', 'resume', 'nightly')
  await page.getByRole('textbox', { name: 'Name' }).fill('mine')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('was changed meanwhile')).toBeVisible()
  await expect(page.getByRole('textbox', { name: 'Name' })).toHaveValue('mine')
  expect((await schedule(server, 'nightly')).name).toBe('nightly')

  // And what the form does not have stays.
  await open(page, server, `/schedules/${id}?edit`, transport)
  await page.getByRole('textbox', { name: 'Name' }).fill('mine')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page).toHaveTitle('mine · Skein')
  expect((await schedule(server, 'mine')).task.labels).toEqual({ team: 'a' })

  // A restart keeps them.
  await server.stop()
  await server.start()
  await signIn(page, server)
  await open(page, server, '/schedules', transport)
  await expect(rows(page)).toHaveCount(2)
  await expect(row(page, 'soon')).toContainText('Completed')
})

test('without JavaScript it is all there', async ({ fleet: page, server, browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, storageState: await page.context().storageState() })
  const plain = await context.newPage()
  await plain.goto(`${server.http}/schedules`)
  await plain.getByRole('button', { name: 'New schedule' }).first().click()
  await plain.getByRole('textbox', { name: 'Name' }).fill('plain')
  await plain.getByLabel('Expression').fill('0 9 * *')
  await plain.getByLabel('Time zone').fill('Asia/Kathmandu')
  await plain.getByLabel('Command').fill(`echo 'not closed`)
  await plain.getByRole('button', { name: 'Show the next runs' }).click()
  await expect(plain.getByText('An expression has five fields')).toBeVisible()
  await plain.getByLabel('Expression').fill('0 9 * * *')
  await plain.getByRole('button', { name: 'Show the next runs' }).click()
  await expect(plain.locator('#preview')).toContainText(/At 09:00 every day Asia\/Kathmandu.*09:00 \+05:45/)
  await plain.getByRole('button', { name: 'Create' }).click()
  await expect(plain.getByText(`The ' is not closed.`)).toBeVisible()
  await expect(plain.getByLabel('Command')).toHaveValue(`echo 'not closed`)
  await plain.getByLabel('Command').fill('echo closed')
  await plain.getByRole('button', { name: 'Create' }).click()

  const mine = row(plain, 'plain')
  await mine.getByRole('button', { name: /^Run now/ }).click()
  await expect(mine).toContainText(/Submitted|Working|Completed/)
  await mine.getByRole('button', { name: /^Pause/ }).click()
  await expect(mine).toContainText('paused')
  await mine.getByRole('button', { name: /^Resume/ }).click()
  await expect(mine).not.toContainText('paused')
  await mine.getByRole('button', { name: /^Edit/ }).click()
  await plain.getByText('Once', { exact: true }).click()
  await plain.getByLabel('Date and time').fill('2199-12-24T18:00:30')
  await plain.getByRole('button', { name: 'Save' }).click()
  await expect(plain.getByText('Once, on 24 December 2199 at 18:00:30')).toBeVisible()
  await plain.getByRole('button', { name: /^Delete/ }).click()
  await plain.getByRole('button', { name: 'Delete', exact: true }).click()
  await expect(plain.getByRole('heading', { name: 'Nothing is scheduled' })).toBeVisible()
  const gone = await plain.goto(`${server.http}/schedules/nothing`)
  expect(gone?.status()).toBe(404)
  await context.close()
})

test('the pages fit', async ({ fleet: page, server, transport }) => {
  test.skip(transport === 'websocket', 'the pages are the same over either transport')
  await server.cli('schedule', 'add', 'nightly report', '--cron', '30 3 * * 1-5', '--tz', 'Europe/Berlin', '--input', '<b>the numbers</b> of yesterday', '--', 'make', 'report')
  await server.cli('schedule', 'add', 'quick', '--cron', '*/15 9-17 * * *', '--tz', 'America/Argentina/ComodRivadavia', '--paused', '--', 'true')
  await server.cli('schedule', 'add', 'a-name-without-an-end-'.repeat(4), '--cron', '1-3,7,9,11-15,31 1,2,5,9 1,13,31 2,7 0', '--tz', 'UTC', '--', 'false')
  await server.cli('schedule', 'run', 'nightly report')
  await server.cli('schedule', 'run', 'quick')
  const { id } = await schedule(server, 'nightly report')
  for (const [name, path] of [['list', '/schedules'], ['one', `/schedules/${id}`], ['form', `/schedules/${id}?edit`]]) {
    await open(page, server, path, transport)
    for (const width of [360, 760, 1280]) {
      await page.setViewportSize({ width, height: 900 })
      expect(await sticksOut(page), `${name} at ${width}`).toEqual({ page: 0, elements: [] })
      for (const colorScheme of /** @type {const} */ (width === 760 ? ['light'] : ['light', 'dark'])) {
        await page.emulateMedia({ colorScheme })
        if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `schedules-${name}-${width}-${colorScheme}.png`), fullPage: true })
      }
    }
  }
})
