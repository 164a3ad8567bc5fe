import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { client } from '../fixtures/client.js'
import { sticksOut } from '../fixtures/layout.js'
import { Link } from '../fixtures/network.js'
import { TYPES, answer, becomes, someTasks } from '../fixtures/tasks.js'
import { BROKEN, COMES_BACK, REFUSED, STOPPING, badge, dialog, expect, live, lives, signIn, test as base, toast } from '../fixtures/test.js'

const test = base.extend({
  config: TYPES,

  // A client that makes changes from elsewhere.
  skein: async ({ server }, use) => {
    const skein = client(server)
    await use(skein)
    skein.close()
  },

  // A page with the queue.
  tasks: async ({ signedIn: page, server, transport }, use) => {
    await page.goto(`${server.http}/tasks`)
    await live(page, transport)
    await use(page)
  },
})

/** @typedef {import('@playwright/test').Page} Page */

/** A task in the queue. @param {Page} page @param {string} name */
const row = (page, name) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })

/** All tasks in a part of the queue, from top to bottom. @param {Page} page @param {string} part */
const queue = (page, part) => page.getByRole('rowgroup', { name: part, exact: true }).locator('.task .name')

/** A column of the board. @param {Page} page @param {string} name */
const column = (page, name) => page.getByRole('region', { name, exact: true })

/** A task on the board. @param {Page} page @param {string} name */
const card = (page, name) => page.getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) })

/** The results on an orchestration's page, in order. @param {Page} page */
const results = (page) => page.getByRole('list', { name: 'Results in the order of completion' }).getByRole('listitem')

/** What became of all results, on an orchestration's page. @param {Page} page */
const aggregate = (page) => page.getByRole('region', { name: 'Aggregate' })

/** The state of a task, on its page. @param {Page} page */
const state = (page) => page.locator('.agent-head .status')

/** @param {Page} page @param {string} name */
const chip = (page, name) => page.getByRole('navigation', { name: 'Filter by state' }).getByRole('link', { name: new RegExp(`^${name} \\d`) })

/**
 * @param {Page} page
 * @param {{http: string}} server
 * @param {string} id
 * @param {'webtransport' | 'websocket'} transport
 */
async function openTask(page, server, id, transport) {
  await page.goto(`${server.http}/tasks/${id}`)
  await live(page, transport)
}

/** @param {Page} page */
async function openForm(page) {
  await page.getByRole('button', { name: 'New task' }).click()
  const form = dialog(page, 'New task')
  await expect(form).toBeVisible()
  return form
}

/** Confirms the dialog that asks. @param {Page} page @param {'Cancel' | 'Stop'} word */
const confirm = (page, word) => page.getByRole('dialog', { name: new RegExp(`^${word} .*\\?$`) }).getByRole('button', { name: new RegExp(`^${word} `) }).click()

/** Marks the page, so that a test can tell if it was reloaded. @param {Page} page */
const keepMark = (page) => page.evaluate(() => void (globalThis.sameDocument = true))
/** @param {Page} page */
const marked = (page) => page.evaluate(() => globalThis.sameDocument === true)

/** The agent that works on a task. @param {any} skein @param {string} id */
const agentOf = async (skein, id) => (await skein.tasks.get(id)).runs.at(-1).agent

test('a task is submitted, done, and its result shown', async ({ tasks: page, skein, transport }) => {
  await expect(page.getByRole('heading', { name: 'No tasks yet' })).toBeVisible()
  const form = await openForm(page)
  await form.getByRole('radio', { name: /^worker/ }).check()
  await form.getByRole('textbox', { name: 'Input' }).fill('three geese\nin a row')
  await form.getByRole('textbox', { name: 'Name' }).fill('count them')
  await form.getByRole('combobox', { name: 'Priority' }).selectOption('high')
  await form.getByText('Timeouts, attempts').click()
  await form.getByRole('spinbutton', { name: 'Work at most' }).fill('90')
  await form.getByRole('spinbutton', { name: 'Attempts in all' }).fill('5')
  await form.getByRole('button', { name: 'Submit' }).click()
  await expect(form).toBeHidden()
  await expect(toast(page, 'count them is submitted')).toBeVisible()
  const link = page.getByRole('link', { name: 'count them', exact: true })
  await expect(link).toBeFocused()
  await expect(row(page, 'count them')).toContainText('Completed')
  await expect(row(page, 'count them')).toContainText('three geese')
  const [task] = (await skein.tasks.list()).tasks
  expect(task).toMatchObject({ state: 'completed', type: 'worker', priority: 'high', actor: 'dashboard', timeouts: { run: 90_000 }, retry: { max: 5 }, result: { text: 'three geese\nin a row' } })

  await link.click()
  await live(page, transport)
  await expect(state(page)).toHaveText(/Completed/)
  await expect(page.getByRole('group', { name: 'Result' })).toHaveText('three geese\nin a row')
  await expect(page.getByRole('group', { name: 'Input' })).toHaveText('three geese\nin a row')
  const timeline = page.getByRole('complementary', { name: 'Timeline' }).getByRole('listitem')
  await expect(timeline).toContainText(['Completed', 'Attempt 1 began', 'Submitted'].map((t) => new RegExp(t)))
  await page.getByRole('complementary', { name: 'Timeline' }).getByRole('link', { name: /^worker-/ }).click()
  await expect(page).toHaveURL(`${new URL(page.url()).origin}/agents/${task.runs[0].agent}`)
})

test('a command is a task, and what it prints its result', async ({ tasks: page, skein, server }) => {
  const form = await openForm(page)
  await form.getByRole('radio', { name: /^shell/ }).check()
  await form.getByRole('textbox', { name: 'Input' }).fill('one two three')
  await form.getByRole('button', { name: 'Submit' }).click()
  const command = form.getByRole('textbox', { name: 'Command', exact: true })
  await expect(command).toHaveAttribute('aria-invalid', 'true')
  await expect(command).toHaveAccessibleDescription(/the command that you give/)
  await expect(command).toBeFocused()
  await command.fill('wc -w')
  await expect(form.getByLabel('Arguments').locator('code')).toHaveText(['wc', '-w'])
  await page.keyboard.press('Control+Enter')
  await expect(row(page, 'wc -w')).toContainText('Completed')
  expect((await skein.tasks.list()).tasks[0]).toMatchObject({ argv: ['wc', '-w'], input: { text: 'one two three' }, result: { text: '3\n' } })

  const [{ id }] = await skein.tasks.submit([{ type: 'shell', name: 'bytes', argv: ['printf', '\\377\\376\\000'] }])
  await becomes(skein, id, { state: 'completed' })
  await page.goto(`${server.http}/tasks/${id}`)
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('These bytes are not text.')
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download them' }).click()])
  expect(readFileSync(await download.path())).toEqual(Buffer.from([0xff, 0xfe, 0]))
  expect(server.log.filter((l) => l.level === 'ERROR')).toEqual([])
})

test('what the form got wrong is said at its field', async ({ tasks: page, skein }) => {
  const form = await openForm(page)
  await form.getByRole('radio', { name: /^By capability/ }).check()
  const capabilities = form.getByRole('textbox', { name: 'Capabilities' })
  await capabilities.fill('code honk')
  await form.getByRole('button', { name: 'Submit' }).click()
  await expect(capabilities).toHaveAccessibleDescription(/honk.*there are: /)
  await expect(capabilities).toBeFocused()
  await form.getByRole('radio', { name: /^worker/ }).check()
  await form.getByRole('button', { name: 'Orchestrate many inputs' }).click()
  await form.getByRole('button', { name: 'Submit' }).click()
  await expect(form.getByRole('textbox', { name: 'Inputs' })).toHaveAccessibleDescription(/at least one line/)
  await form.getByRole('textbox', { name: 'Inputs' }).fill('a\n\nb')
  await form.getByRole('combobox', { name: 'It is complete when' }).selectOption('quorum')
  await form.getByRole('spinbutton', { name: 'How many' }).fill('3')
  await form.getByRole('button', { name: 'Submit 2' }).click()
  await expect(form.getByRole('spinbutton', { name: 'How many' })).toHaveAccessibleDescription(/from 1 to 2/)
  await form.getByRole('spinbutton', { name: 'How many' }).fill('1')
  await form.getByText('Timeouts, attempts').click()
  await form.getByRole('spinbutton', { name: 'Attempts in all' }).fill('101')
  await form.getByRole('button', { name: 'Submit 2' }).click()
  await expect(form.getByRole('spinbutton', { name: 'Attempts in all' })).toHaveAccessibleDescription(/1 to 100/)
  await form.getByRole('spinbutton', { name: 'Attempts in all' }).fill('3')
  await form.getByRole('textbox', { name: 'Exit codes to retry' }).fill('3, 256')
  await form.getByRole('button', { name: 'Submit 2' }).click()
  await expect(form.getByRole('textbox', { name: 'Exit codes to retry' })).toHaveAccessibleDescription(/1 to 255/)
  expect((await skein.tasks.list()).total).toBe(0)
})

test('the demo: five inputs with one click', async ({ tasks: page, skein, transport }) => {
  // Five workers finish within a second of each other, so the page records what the row showed meanwhile.
  await page.evaluate(() => {
    const seen = (globalThis.seen = new Set())
    new MutationObserver(() => {
      for (const bar of document.querySelectorAll('.task progress')) if (bar.checkVisibility()) seen.add(bar.closest('.task')?.textContent?.match(/\d of 5 completed/)?.[0])
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true })
  })
  await page.getByRole('button', { name: /^Five inputs at once/ }).click()
  const five = row(page, 'five geese')
  await expect(page.getByRole('link', { name: 'five geese', exact: true })).toBeFocused()
  await expect(five).toContainText('5 of 5 completed')
  expect(await page.evaluate(() => [...globalThis.seen]), 'it went forward before it was complete').toContainEqual(expect.stringMatching(/^[1-4] of 5/))
  await expect(five).toContainText('Completed')
  await expect(queue(page, 'Finished'), 'its child tasks are folded away').toHaveText(['five geese'])
  await page.getByRole('link', { name: 'Finished child tasks 5' }).click()
  await expect(queue(page, 'Finished')).toHaveCount(6)
  await expect(page).toHaveURL(/children=all/)
  const record = (await skein.tasks.list()).tasks.find((t) => t.orchestration)
  await page.getByRole('link', { name: 'five geese', exact: true }).click()
  await live(page, transport)
  await expect(results(page)).toHaveCount(5)
  const all = JSON.parse((await aggregate(page).locator('[data-f="payload"]').textContent()) ?? '')
  await expect(aggregate(page).getByRole('table').getByRole('row')).toHaveCount(6)
  expect(all.map((r) => r.output.text)).toEqual(['greylag', 'barnacle', 'brant', 'pink-footed', 'snow'])
  expect(all).toEqual(JSON.parse(record.result.text))
})

test('a task that waits says for what, and in which place', async ({ tasks: page, skein, server }) => {
  const [one, two] = await skein.tasks.submit(['one', 'two'].map((name) => ({ type: 'coder', name, input: name })))
  for (const t of [one, two]) await becomes(skein, t.id, { state: 'working' })
  await skein.tasks.submit([{ type: 'coder', name: 'low', priority: 'low' }, { type: 'coder', name: 'normal' }, { type: 'coder', name: 'critical', priority: 'critical' }, { type: 'worker', name: 'after', depends_on: [one.id] }])
  await expect(queue(page, 'Submitted')).toHaveText(['critical', 'normal', 'low', 'after'])
  for (const [name, place] of /** @type {const} */ ([['critical', '#1'], ['normal', '#2'], ['low', '#3']])) await expect(row(page, name)).toContainText(`${place} Waiting: 2 of 2 coder busy`)
  await expect(row(page, 'after')).toContainText('Waiting for one')
  await expect(chip(page, 'Submitted')).toHaveText(/4$/)
  await expect(page.getByText('6 tasks, 2 working, 4 submitted')).toBeVisible()

  await answer(skein, one.id, 'done')
  await expect(queue(page, 'Working').filter({ hasText: 'critical' })).toHaveCount(1)
  await expect(row(page, 'critical')).toContainText('Working')
  await expect(row(page, 'normal')).toContainText('#1 Waiting: 2 of 2 coder busy')
  await expect(row(page, 'low')).toContainText('#2')
  await expect(row(page, 'one')).toContainText('one: done')

  await page.getByRole('link', { name: 'low', exact: true }).click()
  await expect(page.getByRole('region', { name: 'Status' })).toContainText('Waiting: 2 of 2 coder busy 2nd in line')
  await server.cli('stop', '--all')
  await expect(page.getByRole('region', { name: 'Status' })).toContainText('Waiting: admission is closed')
})

test('the board moves', async ({ tasks: page, skein, transport }) => {
  await skein.tasks.submit({ type: 'worker', name: 'first of all' })
  await page.getByRole('link', { name: 'Board' }).click()
  await expect(page).toHaveURL(/view=board/)
  const [{ id }] = await skein.tasks.submit([{ type: 'coder', name: 'moves', input: 'x' }])
  await expect(column(page, 'Working').getByRole('link', { name: 'moves', exact: true })).toBeVisible()
  await expect(card(page, 'moves')).toContainText('reading x')
  await answer(skein, id, 'y')
  await expect(column(page, 'Completed').getByRole('link', { name: 'moves', exact: true })).toBeVisible()
  await expect(card(page, 'moves')).toContainText('x: y')
  await expect(column(page, 'Working').getByRole('link')).toHaveCount(0)
  await skein.tasks.submit({ type: 'asker', name: 'which', input: 'goose' })
  await expect(column(page, 'Needs you')).toContainText('Which way, goose?')
  await expect(page).toHaveTitle(/^\(1\) Tasks/)
  await skein.tasks.submit({ type: 'flaky', name: 'dead', retry: { max: 1 } })
  await expect(column(page, 'Failed')).toContainText('dead letter')

  await page.reload() // the URL has the view, and the server renders it
  await expect(column(page, 'Completed').getByRole('link', { name: 'moves', exact: true })).toBeVisible()
  await live(page, transport)
  await chip(page, 'Failed').click()
  await expect(column(page, 'Failed')).toBeVisible()
  await expect(column(page, 'Completed')).toBeHidden()
  await page.getByRole('link', { name: 'Queue' }).click()
  await expect(page).toHaveURL(/\/tasks\?state=failed$/)
  await expect(queue(page, 'Finished')).toHaveText(['dead'])
})

test('a page without script shows the tasks, and its forms act', async ({ server, skein, browser }) => {
  const sleep = { type: 'shell', argv: ['sleep', '300'] }
  const [cancels, stops] = await skein.tasks.submit([{ ...sleep, name: 'cancels' }, { ...sleep, name: 'stops' }])
  const [again] = await skein.tasks.submit([{ type: 'refuser', name: 'again', input: 'x' }])
  for (const t of [cancels, stops]) await becomes(skein, t.id, { state: 'working' })
  await becomes(skein, again.id, { state: 'failed' })
  const pid = async (t) => {
    const started = async () => (await skein.get(await agentOf(skein, t.id))).process?.pid
    await expect.poll(started, 'a task is working before its process is there').toBeTruthy()
    return started()
  }
  const pids = [await pid(cancels), await pid(stops)]
  await skein.admission.set({ closed: true, reason: 'a look around' })

  const context = await browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(await server.loginURL())
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('link', { name: 'Tasks', exact: true }).click()
  await expect(queue(page, 'Working')).toHaveText(['cancels', 'stops'])
  await expect(row(page, 'again')).toContainText('There is no such goose: x')
  await chip(page, 'Failed').click()
  await expect(page.locator('.task .name')).toHaveText(['again'])
  await page.getByRole('link', { name: 'Board' }).click()
  await expect(column(page, 'Failed').getByRole('link', { name: 'again', exact: true })).toBeVisible()
  await page.getByRole('searchbox').fill('nothing like it')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'No task matches' })).toBeVisible()

  await page.goto(`${server.http}/tasks/${cancels.id}`)
  await page.getByRole('button', { name: 'Cancel' }).click()
  await expect(page).toHaveURL(`${server.http}/tasks/${cancels.id}`)
  await becomes(skein, cancels.id, { state: 'canceled', message: 'canceled by dashboard' })
  await page.goto(`${server.http}/tasks/${stops.id}`)
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await becomes(skein, stops.id, { state: 'canceled', message: 'stopped by dashboard' })
  for (const p of pids) await expect.poll(() => lives(p)).toBe(false)
  await expect(state(page), 'the form leads back').toHaveText(/Canceled/)

  await page.goto(`${server.http}/tasks/${again.id}`)
  await page.getByRole('button', { name: 'Retry' }).click()
  await becomes(skein, again.id, { state: 'submitted', waiting: 'admission is closed' })
  await expect(page.getByRole('region', { name: 'Admission' })).toContainText('a look around')
  await page.getByRole('button', { name: 'Open admission' }).click()
  await expect(page).toHaveURL(`${server.http}/tasks/${again.id}`)
  await expect(page.getByRole('region', { name: 'Admission' })).toBeHidden()
  await becomes(skein, again.id, { state: 'failed', attempt: 2 })
  await context.close()
})

test('a cancel reaches the agent', async ({ tasks: page, skein, transport, server }) => {
  const file = join(server.dir, 'pid')
  await skein.tasks.submit({ type: 'shell', name: 'sleeper', argv: ['sh', '-c', `echo $$ > ${file}; exec sleep 300`] })
  const [{ id }] = await skein.tasks.submit([{ type: 'coder', name: 'never', input: 'x' }])
  await skein.tasks.submit([{ type: 'coder', name: 'second', input: 'y' }, { type: 'coder', name: 'third', input: 'z' }])
  await expect(row(page, 'third')).toContainText('#1 Waiting: 2 of 2 coder busy')
  await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8').trim()).toBeTruthy()
  const pid = Number(readFileSync(file, 'utf8'))
  expect(lives(pid)).toBe(true)

  await row(page, 'sleeper').getByRole('button', { name: 'Cancel sleeper' }).click()
  await dialog(page, 'Cancel sleeper?').getByRole('button', { name: 'Keep' }).click()
  expect(await skein.tasks.list({ query: 'sleeper', states: ['working'] })).toMatchObject({ total: 1 })
  await row(page, 'sleeper').getByRole('button', { name: 'Cancel sleeper' }).click()
  await confirm(page, 'Cancel')
  await expect(toast(page, 'sleeper is canceled')).toBeVisible()
  await expect(row(page, 'sleeper')).toContainText('Canceled by dashboard')
  await expect.poll(() => lives(pid), 'its process is gone').toBe(false)

  const agent = await agentOf(skein, id)
  await openTask(page, server, id, transport)
  await page.getByRole('button', { name: 'Cancel' }).click()
  await confirm(page, 'Cancel')
  await expect(state(page)).toHaveText(/Canceled/)
  await becomes(skein, id, { state: 'canceled', late: [{ failed: true, text: 'canceled', agent }] })
  await expect(page.getByRole('complementary', { name: 'Timeline' })).toContainText('Late failure of attempt 1')
  const third = (await skein.tasks.list({ query: 'third' })).tasks[0]
  await becomes(skein, third.id, { state: 'working' })
  expect(await agentOf(skein, third.id), 'the agent let go of it and took the next').toBe(agent)
})

test('several are selected and canceled, with what is below them', async ({ tasks: page, skein }) => {
  const fan = await skein.tasks.orchestrate({ name: 'fan', task: { type: 'coder' }, inputs: ['a', 'b', 'c'] })
  const [alone] = await skein.tasks.submit([{ type: 'coder', name: 'alone' }])
  const [stays] = await skein.tasks.submit([{ type: 'coder', name: 'stays' }])
  await expect(queue(page, 'Submitted')).toHaveText(['fan 3', 'alone', 'stays'])
  await row(page, 'fan').getByRole('checkbox').check()
  await row(page, 'alone').getByRole('checkbox').check()
  const bulk = page.getByRole('region', { name: 'Selection' })
  await expect(bulk).toContainText('2 tasks selected')
  await bulk.getByRole('button', { name: 'Cancel 2 tasks', exact: true }).click()
  await expect(dialog(page, 'Cancel 2 tasks?')).toContainText('The 3 tasks below them are canceled, too.')
  await confirm(page, 'Cancel')
  await expect(toast(page, '5 tasks are canceled')).toBeVisible()
  await expect(bulk).toBeHidden()
  await becomes(skein, fan.id, { state: 'canceled' })
  await becomes(skein, alone.id, { state: 'canceled' })
  expect((await skein.tasks.list({ root: fan.id, states: ['canceled'] })).total).toBe(4)
  await becomes(skein, stays.id, { state: 'working' })

  await page.getByRole('checkbox', { name: 'Select all that match' }).check()
  await expect(bulk.getByRole('button', { name: 'Cancel the 1 unfinished' })).toBeVisible()
  await bulk.getByRole('button', { name: 'Clear' }).click()
  await expect(bulk).toBeHidden()
})

test('a dead letter is found and tried again', async ({ tasks: page, skein, server, transport }) => {
  const [{ id }] = await skein.tasks.submit([{ type: 'flaky', name: 'letter', retry: { max: 2, backoff: 10 } }])
  await skein.tasks.submit({ type: 'refuser', name: 'no letter', input: 'x' })
  await expect(row(page, 'letter')).toContainText('dead letter')
  await expect(row(page, 'no letter')).toContainText('Failed')
  await chip(page, 'Dead letters').click()
  await expect(page).toHaveURL(/state=dead/)
  await expect(queue(page, 'Finished')).toHaveText(['letter'])
  await expect(row(page, 'letter')).toContainText('2 of 2')
  await row(page, 'letter').getByRole('button', { name: 'Retry letter' }).click()
  await expect(toast(page, 'letter is submitted again')).toBeVisible()
  await becomes(skein, id, { state: 'failed', dead_letter: true, attempt: 4 })
  await expect(row(page, 'letter')).toContainText('4 of 4')

  await openTask(page, server, id, transport)
  await expect(page.getByRole('region', { name: 'Status' })).toContainText('Try me later Agent: it asked for another attempt.')
  await page.getByRole('button', { name: 'Retry' }).click()
  await becomes(skein, id, { state: 'failed', attempt: 6 })
  await expect(page.getByRole('complementary', { name: 'Timeline' }).getByText(/^Attempt \d began$/)).toHaveText([6, 5, 4, 3, 2, 1].map((n) => `Attempt ${n} began`))
})

test('an attempt that follows says when', async ({ signedIn: page, skein, server, transport }) => {
  const [{ id }] = await skein.tasks.submit([{ type: 'flaky', name: 'later', retry: { max: 2, backoff: 60_000 } }])
  await becomes(skein, id, { state: 'submitted', attempt: 1 })
  await openTask(page, server, id, transport)
  await expect(page.getByRole('region', { name: 'Status' })).toContainText(/^Attempt 2 follows in (5\ds|1m 0s)/)
  const timeline = page.getByRole('complementary', { name: 'Timeline' }).getByRole('listitem')
  await expect(timeline.first()).toContainText(/Attempt 2 follows.*in 5\ds/)
  await expect(timeline.nth(1)).toContainText('Agent: it asked for another attempt')
  const before = await timeline.first().textContent()
  await expect(timeline.first(), 'the time runs').not.toHaveText(before ?? '')
})

test('results come in as the child tasks complete, then the aggregate', async ({ signedIn: page, skein, server, transport }) => {
  const fan = await skein.tasks.orchestrate({ name: 'fan', task: { type: 'coder' }, inputs: ['a', 'b', 'c'] })
  const children = (await skein.tasks.list({ parent: fan.id })).tasks.sort((x, y) => x.index - y.index)
  for (const t of children.slice(0, 2)) await becomes(skein, t.id, { state: 'working' })
  await openTask(page, server, fan.id, transport)
  await expect(page.getByText('Results appear here as the child tasks end.')).toBeVisible()
  await expect(page.getByRole('region', { name: 'Child tasks' })).toContainText(/Working\s*fan 1.*Working\s*fan 2.*Submitted\s*fan 3/s, { useInnerText: true })

  await answer(skein, children[1].id, 'first')
  await expect(results(page)).toHaveText([/^1\s*Input 2\s*Completed\s*b: first$/])
  await expect(page.getByRole('region', { name: 'Results as they completed' })).toContainText('1 of 3 completed')
  await becomes(skein, children[2].id, { state: 'working' })
  await skein.tasks.cancel(children[2].id, { reason: 'no need' })
  await expect(results(page)).toHaveText([/b: first/, /^2\s*Input 3\s*Canceled\s*No need$/])
  await expect(aggregate(page)).toBeHidden()
  await answer(skein, children[0].id, 'last')
  await expect(results(page)).toHaveText([/b: first/, /No need/, /^3\s*Input 1\s*Completed\s*a: last$/])
  await expect(state(page)).toHaveText(/Completed/)
  const all = JSON.parse((await aggregate(page).locator('[data-f="payload"]').textContent()) ?? '')
  expect(all.map((r) => [r.index, r.state, r.output?.text])).toEqual([[0, 'completed', 'a: last'], [1, 'completed', 'b: first'], [2, 'canceled', undefined]])

  await page.reload()
  await expect(results(page), 'before any script').toHaveText([/b: first/, /No need/, /a: last/])
  await live(page, transport)
  await results(page).nth(1).getByRole('link', { name: 'Input 3' }).click()
  await expect(page.getByRole('navigation', { name: 'Breadcrumb' })).toContainText('Tasksfanfan 3')
})

test('a task that asks is answered', async ({ tasks: page, skein }) => {
  const [{ id }] = await skein.tasks.submit([{ type: 'asker', name: 'asks', input: 'goose' }])
  await expect(queue(page, 'Needs you')).toHaveText(['asks'])
  await expect(row(page, 'asks')).toContainText('Which way, goose?')
  await page.getByRole('link', { name: 'asks', exact: true }).click()
  await expect(page).toHaveTitle(/^\(1\) \? asks/)
  const asks = page.getByRole('region', { name: 'Questions' })
  await expect(asks).toContainText('Which way, goose?')
  await expect(page.getByRole('region', { name: 'Status' }), 'which would say it again').toBeHidden()
  await asks.getByRole('textbox', { name: /^Answer/ }).fill('south')
  await asks.getByRole('button', { name: 'Send' }).click()
  await becomes(skein, id, { state: 'completed', result: { text: 'went south' } })
  await expect(asks).toBeHidden()
  await expect(page.getByRole('group', { name: 'Result' })).toHaveText('went south')
})

test('a task is stopped with its process, and submitted again', async ({ signedIn: page, skein, server, transport }) => {
  const before = await skein.tasks.submit({ type: 'shell', name: 'before', argv: ['true'] })
  await becomes(skein, before.id, { state: 'completed' })
  const kept = { labels: { team: 'core' }, queue: 'nightly', depends_on: [before.id] }
  const [{ id }] = await skein.tasks.submit([{ ...kept, type: 'shell', name: 'stubborn', argv: ['sh', '-c', 'trap "" TERM; echo $$; while :; do sleep 0.1; done'], input: 'x y', priority: 'low', timeouts: { run: 3_600_000 } }])
  await becomes(skein, id, { state: 'working' })
  const agent = await agentOf(skein, id)
  await expect.poll(async () => (await skein.get(agent)).last_line, 'it does not listen').toBeTruthy()
  const { process } = await skein.get(agent)
  await openTask(page, server, id, transport)
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await confirm(page, 'Stop')
  await expect(toast(page, 'stubborn is stopped')).toContainText('1 task canceled, 1 process verified to be gone.')
  expect(lives(process.pid)).toBe(false)
  await expect(state(page)).toHaveText(/Canceled/)

  await page.getByRole('button', { name: 'With changes…' }).click()
  const form = dialog(page, 'New task')
  await expect(form).toContainText('Kept: its labels; its queue, nightly; what it comes after (1 task).')
  await expect(form.getByRole('radio', { name: /^shell/ })).toBeChecked()
  await expect(form.getByRole('textbox', { name: 'Input' })).toHaveValue('x y')
  await form.getByRole('textbox', { name: 'Command', exact: true }).fill('cat')
  await form.getByRole('button', { name: 'Submit' }).click()
  await expect(page).not.toHaveURL(new RegExp(id))
  await expect(page.getByRole('group', { name: 'Result' })).toHaveText('x y')
  const next = (await skein.tasks.list({ states: ['completed'] })).tasks[0]
  expect(next).toMatchObject({ ...kept, name: 'stubborn', priority: 'low', timeouts: { run: 3_600_000 }, argv: ['cat'] })
})

test('admission that is closed is said on every page, and opened there', async ({ tasks: page, skein, server, transport }) => {
  const banner = page.getByRole('region', { name: 'Admission' })
  await expect(banner).toBeHidden()
  await server.cli('stop', '--all')
  await expect(banner).toContainText(/Admission is closed: no agent is spawned and no task is started\..* by .*: stop of all/)
  const [{ id }] = await skein.tasks.submit([{ type: 'worker', name: 'waits for it', input: 'x' }])
  await expect(row(page, 'waits for it')).toContainText('Waiting: admission is closed')
  await openForm(page)
  await expect(dialog(page, 'New task').getByRole('radio', { name: /^worker/ })).toHaveAccessibleName(/admission closed/)
  await page.keyboard.press('Escape')
  await page.goto(server.http)
  await expect(banner, 'before any script').toBeVisible()
  await live(page, transport)
  await banner.getByRole('button', { name: 'Open admission' }).click()
  await expect(banner).toBeHidden()
  await expect(toast(page, 'Admission is open')).toBeVisible()
  expect(await skein.admission.get()).toMatchObject({ closed: false, actor: 'dashboard' })
  await becomes(skein, id, { state: 'completed' })

  await skein.admission.set({ type: 'coder', closed: true, reason: 'it loops' })
  await expect(banner).toContainText('Admission is closed for coder')
  await expect(banner).toContainText('by elsewhere: it loops')
  await skein.admission.set({ type: 'coder', closed: false })
  await expect(banner).toBeHidden()
})

test('a page for a task that does not exist says so', async ({ signedIn: page, server, noise }) => {
  noise.push(REFUSED)
  const response = await page.goto(`${server.http}/tasks/tnosuchtask`)
  expect(response?.status()).toBe(404)
  await expect(page.getByRole('heading', { name: 'There is no such task' })).toBeVisible()
  await page.getByRole('link', { name: 'To the tasks' }).click()
  await expect(page.getByRole('heading', { name: 'Tasks', level: 1 })).toBeVisible()
})

test('the filters hold what they say', async ({ tasks: page, skein, server }) => {
  await someTasks(skein)
  const names = () => page.locator('#queue .task .name').allTextContents()
  await expect(page.getByRole('row').filter({ hasText: 'geese' }).first()).toBeVisible()
  await page.getByRole('searchbox', { name: /^Filter/ }).fill('ANSER')
  await expect.poll(names).toEqual(['find the goose'])
  await page.getByRole('searchbox', { name: /^Filter/ }).fill('')
  await page.getByRole('combobox', { name: 'Type' }).selectOption('shell')
  await expect.poll(names).toEqual(expect.arrayContaining(['count words', 'bytes']))
  await chip(page, 'Failed').click()
  await expect(page.getByRole('heading', { name: 'No task matches' })).toBeVisible()
  await expect(page).toHaveURL(`${server.http}/tasks?state=failed&type=shell`)
  await page.reload()
  await expect(page.getByRole('heading', { name: 'No task matches' })).toBeVisible()
  await page.getByRole('link', { name: 'Clear the filter' }).click()
  await expect(page).toHaveURL(`${server.http}/tasks`)
  await expect.poll(async () => (await names()).length).toBe(13)
})

test('what is submitted elsewhere while there are many', { tag: '@soak' }, async ({ tasks: page, skein }) => {
  test.setTimeout(300_000)
  await skein.tasks.submit(Array.from({ length: 230 }, (_, i) => ({ type: 'coder', name: `many ${i + 1}`, input: 'x' })))
  await expect(queue(page, 'Working')).toHaveText(['many 1', 'many 2'])
  await expect(queue(page, 'Submitted')).toHaveCount(100)
  await expect(chip(page, 'Submitted')).toHaveText(/228$/)
  await page.getByRole('button', { name: 'Show 100 more of 128' }).click()
  await expect(queue(page, 'Submitted')).toHaveCount(200)
  await page.getByRole('button', { name: 'Show 28 more of 28' }).click()
  await expect(queue(page, 'Submitted')).toHaveCount(228)
  const last = page.locator('#queue .task').filter({ hasText: 'many 230' }) // by its role Playwright would compute the names of all that is in every row
  await expect(last).toContainText('#228 Waiting: 2 of 2 coder busy')
  await page.getByRole('checkbox', { name: 'Select all that match' }).check()
  await page.keyboard.press('c')
  await confirm(page, 'Cancel')
  await expect(toast(page, '230 tasks are canceled')).toBeVisible({ timeout: 120_000 }) // after the last of 230 answers
  await expect(chip(page, 'Canceled')).toHaveText(/230$/)
  expect((await skein.tasks.list({ states: ['canceled'], limit: 1 })).total).toBe(230)
})

test.describe('on a link that breaks', () => {
  const it = test.extend({
    link: async ({}, use) => {
      const link = new Link()
      await link.open()
      await use(link)
      link.close()
    },
    args: async ({ link, transport }, use) => use(['--allow-origin', `http://localhost:${link.tcpPort}`, ...(transport === 'webtransport' ? ['--quic-port', String(link.udpPort)] : [])]),
    noise: async ({}, use) => use([BROKEN]),
  })

  it('a reconnect in the middle loses nothing', async ({ page, server, link, transport, skein }) => {
    link.lead(server)
    const there = `http://localhost:${link.tcpPort}`
    await signIn(page, server)
    const fan = await skein.tasks.orchestrate({ name: 'fan', task: { type: 'coder' }, inputs: ['a', 'b', 'c', 'd'] })
    const children = (await skein.tasks.list({ parent: fan.id })).tasks.sort((x, y) => x.index - y.index)
    const list = await page.context().newPage()
    await page.goto(`${there}/tasks/${fan.id}`)
    await list.goto(`${there}/tasks`)
    for (const p of [page, list]) {
      await live(p, transport)
      await keepMark(p)
    }
    const finish = async (i) => {
      await becomes(skein, children[i].id, { state: 'working' })
      await answer(skein, children[i].id, String(i))
      await becomes(skein, children[i].id, { state: 'completed' })
    }
    await finish(0)
    await expect(results(page)).toHaveText([/a: 0/])
    await expect(row(list, 'fan')).toContainText('1 of 4 completed')

    link.cut()
    for (const p of [page, list]) await expect(badge(p), 'it is noticed').toHaveAccessibleName(/^Reconnecting/, { timeout: COMES_BACK })
    await finish(2)
    await finish(1)
    await skein.tasks.submit({ type: 'asker', name: 'asks', input: 'goose' })
    const [gone] = await skein.tasks.submit([{ type: 'coder', name: 'came and went' }])
    await skein.tasks.cancel(gone.id)
    await becomes(skein, children[3].id, { state: 'working' })
    link.mend()
    for (const p of [page, list]) await expect(badge(p)).toHaveAccessibleName(/^Web/, { timeout: COMES_BACK })
    await expect(results(page)).toHaveText([/a: 0/, /c: 2/, /b: 1/])
    await expect(row(list, 'fan')).toContainText('3 of 4 completed')
    await expect(row(list, 'asks')).toContainText('Which way, goose?')
    await expect(row(list, 'came and went')).toContainText('Canceled')
    await finish(3)
    await expect(results(page)).toHaveText([/a: 0/, /c: 2/, /b: 1/, /d: 3/])
    await expect(state(page)).toHaveText(/Completed/)
    await expect(row(list, 'fan')).toContainText('Completed')
    for (const p of [page, list]) expect(await marked(p), 'without a reload').toBe(true)
  })
})

test('after a restart of the server the pages go on', async ({ tasks: page, server, skein, transport, noise }) => {
  noise.push(BROKEN, STOPPING)
  const [{ id }] = await skein.tasks.submit([{ type: 'worker', name: 'done before', input: 'x' }])
  await becomes(skein, id, { state: 'completed' })
  const [cut] = await skein.tasks.submit([{ type: 'coder', name: 'cut off', input: 'y', retry: { backoff: 10 } }])
  await becomes(skein, cut.id, { state: 'working' })
  await keepMark(page)
  await server.stop()
  await server.start()
  await live(page, transport, { timeout: COMES_BACK })
  await expect(row(page, 'done before')).toContainText('Completed')
  await expect(row(page, 'cut off'), 'it is at work again').toContainText(/Working.*2 of 4/s)
  expect(await marked(page), 'without a reload').toBe(true)
  await page.getByRole('link', { name: 'cut off', exact: true }).click()
  await expect(page.getByRole('complementary', { name: 'Timeline' })).toContainText('Platform: Skein was restarted')
})

test.describe('axe finds nothing', () => {
  test.use({ contextOptions: { reducedMotion: 'reduce' } })

  test('in the queue and on the board, in light and in dark', { tag: '@soak' }, async ({ tasks: page, skein }) => {
    await check(page, 'no tasks')
    await someTasks(skein)
    await expect(row(page, 'geese')).toContainText('Completed')
    await check(page, 'the queue')
    await page.getByRole('link', { name: 'Board' }).click()
    await expect(card(page, 'geese')).toBeVisible()
    await check(page, 'the board')
    await skein.admission.set({ closed: true, reason: 'a look around' })
    await expect(page.getByRole('region', { name: 'Admission' })).toBeVisible()
    await check(page, 'admission is closed')
  })

  test('in the dialogs', { tag: '@soak' }, async ({ tasks: page, skein }) => {
    await skein.tasks.submit({ type: 'coder', name: 'waits' })
    await row(page, 'waits').getByRole('checkbox').check()
    await check(page, 'a selection')
    await page.keyboard.press('c')
    await check(page, 'the question before a cancel')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    const form = await openForm(page)
    await form.getByRole('radio', { name: /^shell/ }).check()
    await form.getByText('Timeouts, attempts').click()
    await form.getByRole('button', { name: 'Submit' }).click()
    await check(page, 'the form with a mistake')
    await form.getByRole('button', { name: 'Orchestrate many inputs' }).click()
    await form.getByRole('combobox', { name: 'It is complete when' }).selectOption('reduce')
    await form.getByRole('combobox', { name: 'Reduced by' }).selectOption('shell')
    await check(page, 'the form for many')
  })

  test('on the page of a task', { tag: '@soak' }, async ({ signedIn: page, skein, server, transport }) => {
    const tasks = await someTasks(skein)
    for (const name of ['fix the build', 'which way', 'dead letter', 'waits', 'bytes', 'geese']) {
      await openTask(page, server, tasks[name].id, transport)
      await check(page, name)
    }
  })
})

test('the tasks are run by the keyboard alone', async ({ tasks: page, skein, transport }) => {
  const key = (/** @type {string} */ k) => page.keyboard.press(k)
  await key('n')
  const form = dialog(page, 'New task')
  await expect(form.getByRole('radio', { checked: true })).toBeFocused()
  for (let i = 0; i < 10 && !(await form.getByRole('radio', { name: /^coder/ }).isChecked()); i++) await key('ArrowDown')
  await expect(form.getByRole('radio', { name: /^coder/ })).toBeChecked()
  const input = form.getByRole('textbox', { name: 'Input' })
  while (!(await input.evaluate((el) => el === document.activeElement))) await key('Tab')
  await page.keyboard.type('typed')
  await key('Control+Enter')
  await expect(form).toBeHidden()
  const typed = page.getByRole('link', { name: 'typed', exact: true })
  await expect(typed, 'the focus is on what was submitted').toBeFocused()
  await expect(row(page, 'typed')).toContainText('Working')
  await expect(typed, 'and goes along').toBeFocused()

  await skein.tasks.submit([{ type: 'refuser', name: 'failed', input: 'x' }, { type: 'coder', name: 'second' }])
  await expect(row(page, 'failed')).toContainText('Failed')
  await expect(row(page, 'second')).toContainText('Working')
  await key('j')
  await expect(page.getByRole('link', { name: 'second', exact: true })).toBeFocused()
  await key('j')
  await expect(page.getByRole('link', { name: 'failed', exact: true })).toBeFocused()
  await key('r')
  await expect(toast(page, 'failed is submitted again')).toBeVisible()
  await becomes(skein, (await skein.tasks.list({ query: 'failed' })).tasks[0].id, { state: 'failed', attempt: 2 })
  await expect(row(page, 'failed'), 'and back in its place').toContainText(/Failed.*2 of 4/s)
  await key('k')
  await key('k')
  await expect(typed).toBeFocused()
  await key('x')
  await key('j')
  await key('X')
  await expect(page.getByRole('region', { name: 'Selection' })).toContainText('2 tasks selected')
  await key('Escape')
  await expect(page.getByRole('region', { name: 'Selection' })).toBeHidden()
  await key('c')
  await expect(dialog(page, 'Cancel second?')).toBeVisible()
  await key('Enter')
  await expect(row(page, 'second')).toContainText('Canceled')
  await expect(page.getByRole('dialog'), 'it closes with the answer').toBeHidden()

  await key('b')
  await expect(page).toHaveURL(/view=board/)
  await expect(page.locator('#board .task')).toHaveCount(3) // the server renders the cards
  await key('j')
  await expect(typed).toBeFocused()
  await key('l')
  await expect(page.getByRole('link', { name: 'failed', exact: true })).toBeFocused()
  await key('ArrowRight')
  await expect(page.getByRole('link', { name: 'second', exact: true })).toBeFocused()
  await key('h')
  await key('h')
  await expect(typed).toBeFocused()
  await key('/')
  await expect(page.getByRole('searchbox', { name: /^Filter/ })).toBeFocused()
  await page.keyboard.type('typed')
  await expect(page.locator('#board .task')).toHaveCount(1)
  await key('Enter')
  await expect(typed).toBeFocused()
  await key('Enter')
  await expect(page).toHaveURL(/\/tasks\/t/)
  await live(page, transport)
  await key('c')
  await expect(dialog(page, 'Cancel typed?')).toBeVisible()
  await key('Enter')
  await expect(state(page)).toHaveText(/Canceled/)
  await expect(page.getByRole('dialog')).toBeHidden()
  await key('n')
  await expect(form.getByRole('textbox', { name: 'Input' })).toHaveValue('typed')
  await key('Escape')
  await key('?')
  await expect(dialog(page, 'Keyboard')).toContainText('Up: to its parent')
  await key('Escape')
  await key('u')
  await expect(page.getByRole('heading', { name: 'Tasks', level: 1 })).toBeVisible()
})

test.describe('at 400 pixels', () => {
  test.use({ viewport: { width: 400, height: 800 } })

  test('nothing sticks out', async ({ tasks: page, skein, server, transport }) => {
    const nothing = { page: 0, elements: [] }
    await expect.soft(await sticksOut(page), 'no tasks').toEqual(nothing)
    const long = 'nobreakatall'.repeat(15)
    const tasks = await someTasks(skein)
    const [wide] = await skein.tasks.submit([{ type: 'refuser', name: long, input: long }])
    await becomes(skein, wide.id, { state: 'failed' })
    await expect(row(page, long)).toContainText('Failed')
    await expect.soft(await sticksOut(page), 'the queue').toEqual(nothing)
    for (const name of ['Fleet', 'Tasks', 'Memory', 'Artifacts']) await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name })).toBeInViewport({ ratio: 1 })
    await row(page, 'waits').getByRole('checkbox').check()
    await expect.soft(await sticksOut(page), 'a selection').toEqual(nothing)
    await page.getByRole('region', { name: 'Selection' }).getByRole('button', { name: 'Clear' }).click()
    await row(page, 'waits').getByRole('button', { name: 'Cancel waits', exact: true }).click()
    await confirm(page, 'Cancel')
    await expect(row(page, 'waits')).toContainText('Canceled')
    const form = await openForm(page)
    await expect(form.getByRole('button', { name: 'Submit' })).toBeInViewport()
    await expect.soft(await sticksOut(page), 'the form').toEqual(nothing)
    await form.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('link', { name: 'Board' }).click()
    await expect(card(page, long)).toBeAttached()
    await expect.soft(await sticksOut(page), 'the board').toEqual(nothing)
    await skein.admission.set({ closed: true, reason: long })
    await expect(page.getByRole('region', { name: 'Admission' })).toBeVisible()
    await expect.soft(await sticksOut(page), 'admission').toEqual(nothing)
    for (const id of [wide.id, tasks.geese.id, tasks['fix the build'].id]) {
      await openTask(page, server, id, transport)
      await expect.soft(await sticksOut(page), 'a task').toEqual(nothing)
    }
  })
})
