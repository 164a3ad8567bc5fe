import { check } from '../fixtures/axe.js'
import { client } from '../fixtures/client.js'
import { TYPES, answer, becomes } from '../fixtures/tasks.js'
import { expect, live, test, toast } from '../fixtures/test.js'

// What a task waits for: an agent that asks, or other tasks.

test.describe('what tasks wait for', () => {
  test.use({ config: TYPES })

  test('a task whose agent asks leads to the answer, and the graph of tasks is live', async ({ fleet: page, server, transport }) => {
    const skein = client(server)
    const first = await skein.tasks.submit({ type: 'asker', name: 'which way', input: 'north' })
    await becomes(skein, first.id, { state: 'input_required' })
    const [fetch, build, publish] = await skein.tasks.submit([
      { key: 'f', type: 'asker', name: 'fetch', input: 'it' },
      { key: 'b', type: 'coder', name: 'build', input: 'b', depends_on: ['#f'] },
      { key: 'p', type: 'shell', name: 'publish', argv: ['true'], depends_on: ['#b', '#f'] },
    ])

    // The row says who waits for whom, and its link leads to the agent that asks.
    await page.goto(`${server.http}/tasks`)
    await live(page, transport)
    const row = page.getByRole('row').filter({ hasText: 'fetch' }).first()
    await expect(row).toContainText('1 of 1 asker waits for your answer')
    await row.getByRole('link', { name: 'Answer', exact: true }).click()
    await expect(page).toHaveURL(/\/agents\/a/)

    // On the page of a task, the tasks before and after it are links; the keyboard reaches them.
    await page.goto(`${server.http}/tasks/${build.id}`)
    await live(page, transport)
    const graph = page.getByRole('region', { name: 'Dependencies' })
    const nodes = graph.locator('.graph.wide .dep')
    await expect(nodes).toHaveCount(3)
    await expect(nodes.nth(1)).toHaveAttribute('aria-current', 'true')
    await expect(graph.locator('.graph.wide .edge')).toHaveCount(2)
    await expect(graph.getByRole('link', { name: 'fetch, Submitted' })).toBeVisible()
    await graph.getByText('As a list').click()
    await expect(graph.getByRole('listitem').filter({ hasText: 'publish' })).toContainText('after build, fetch')
    await check(page, 'a task with dependencies')

    // It changes as the tasks do, and grows with what is submitted.
    const reply = async (/** @type {string} */ id) => skein.input((await skein.tasks.get(id)).runs.at(-1).agent, 'yes\n')
    await reply(first.id)
    await expect(graph.getByRole('link', { name: 'fetch, Needs you' })).toBeVisible()
    await becomes(skein, fetch.id, { state: 'input_required' })
    await reply(fetch.id)
    await expect(graph.getByRole('link', { name: 'fetch, Completed' })).toBeVisible()
    await expect(graph.getByRole('link', { name: 'build, Working' })).toBeVisible()
    await expect(graph.locator('.graph.wide .edge[data-done]')).toHaveCount(1)
    await skein.tasks.submit({ type: 'shell', name: 'tell everybody', argv: ['true'], depends_on: [publish.id] })
    await expect(nodes).toHaveCount(4)
    await answer(skein, build.id, 'done')
    await expect(graph.getByRole('link', { name: 'tell everybody, Completed' })).toBeVisible()
    await expect(graph.locator('details')).toHaveAttribute('open', '') // what a person opened stays open

    // Where there is no room beside, the layers stand below each other.
    await page.setViewportSize({ width: 400, height: 800 })
    await expect(graph.locator('.graph.narrow .dep')).toHaveCount(4)
    await expect(graph.locator('.graph.wide')).toBeHidden()
    await graph.getByRole('link', { name: 'fetch, Completed' }).focus()
    await page.keyboard.press('Enter')
    await expect(page).toHaveURL(new RegExp(fetch.id))
    skein.close()
  })
})

test('agents that ask the same are answered together in the fleet', async ({ fleet: page, server }) => {
  await server.spawn('scripted', '-n', '3', '--name', 'same', '--script', 'ask Go on?\nsay got ${reply}\nidle 1h')
  await server.spawn('scripted', '--name', 'other', '--script', 'ask Which way?\nsay got ${reply}\nidle 1h')
  const row = (/** @type {string} */ name) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })
  const first = row('same-1')
  await expect(first.getByRole('button', { name: 'Send to all 3' })).toBeVisible()
  await expect(row('other').getByRole('button', { name: 'Send', exact: true })).toBeVisible()
  await expect(row('other').getByRole('button', { name: /^Send to all/ })).toBeHidden()
  await check(page, 'agents that ask the same')
  await first.getByRole('textbox', { name: 'Answer same-1' }).fill('yes')
  await first.getByRole('button', { name: 'Send to all 3' }).click()
  await expect(toast(page, '3 agents have your answer')).toBeVisible()
  for (const name of ['same-1', 'same-2', 'same-3']) await expect.poll(async () => (await server.agent(name)).last_line).toBe('got yes')
  expect((await server.agent('other')).activity).toBe('requires_action')
})
