import { check } from '../fixtures/axe.js'
import { sticksOut } from '../fixtures/layout.js'
import { expect, openAgent, row, rows, test } from '../fixtures/test.js'

test.use({ contextOptions: { reducedMotion: 'reduce' }, config: `agent_types:
  coder: {kind: scripted, tasks: lines, max_tasks: 2, max_instances: 1, script: "take\\nread\\nresult yes\\ntake\\nwait 1h"}
  stuck: {kind: scripted, tasks: lines, max_instances: 1, stall: 500ms, script: "take\\nwait 1h"}
  flaky: {kind: exec, argv: [sh, -c, "exit 3"], restart: {mode: delay, attempts: 1, interval: 10m, delay: 10ms}}
` })

/** @param {import('@playwright/test').Page} page @param {string} name @param {string | RegExp} text */
const badge = (page, name, text) => row(page, name).locator('.badge').filter({ hasText: text })

test('load, stalls, restarts and crash loops, on the fleet and on the agent\'s page', async ({ fleet: page, server, transport }) => {
  await server.spawn('shell', '--name', 'plain', '--', 'sleep', '300')
  const [looping] = await server.spawn('flaky', '--name', 'looping')
  const [worker] = await server.spawn('coder', '--name', 'worker')
  const [stuck] = await server.spawn('stuck', '--name', 'stuck')
  await expect(badge(page, 'worker', '0 of 2 tasks')).toBeVisible()
  const submit = async (type) => JSON.parse(await server.cli('task', 'submit', '--json', '--type', type, '--input', 'some work'))
  const sent = await submit('coder')
  await submit('stuck')

  const task = (await server.agents()).find((a) => a.name === 'worker').tasks?.[0] ?? sent.tasks?.[0]?.id ?? sent.id
  await expect(badge(page, 'worker', '1 of 2 tasks')).toHaveAttribute('href', `/tasks/${task}`)
  await expect(badge(page, 'looping', 'Crash loop')).toBeVisible()
  await expect(badge(page, 'looping', /^Starts again in \d+m \d+s$/)).toBeVisible()
  await expect(badge(page, 'looping', '1 restart')).toBeVisible()
  await expect(badge(page, 'stuck', /^Stalled for \d+s$/)).toBeVisible()
  await expect(rows(page).locator('.name')).toHaveText(['looping', 'stuck', 'worker', 'plain']) // agents that need a person come first
  await expect(row(page, 'plain').locator('.badge')).toHaveCount(0)
  await check(page, 'the fleet')

  await server.cli('send', 'worker', 'go on')
  await expect(badge(page, 'worker', '0 of 2 tasks, 1 done')).toBeVisible()

  await page.setViewportSize({ width: 400, height: 800 })
  await expect(badge(page, 'stuck', /^Stalled for/)).toBeVisible() // it has no last line beside the badge
  expect.soft(await sticksOut(page), 'the fleet').toEqual({ page: 0, elements: [] })
  await page.setViewportSize({ width: 1440, height: 900 })

  const moments = page.getByRole('complementary', { name: 'Timeline' }).getByRole('listitem')
  await openAgent(page, server, looping.id, transport)
  await expect(moments.filter({ hasText: 'Crashed' }).first()).toContainText('Exit code 3. It starts again in')
  await expect(page.locator('.agent-head .badge').filter({ hasText: 'Crash loop' })).toBeVisible()
  await expect(page.locator('.fact-restarts')).toContainText('1')
  await check(page, 'an agent in a crash loop')
  await openAgent(page, server, stuck.id, transport)
  await expect(page.locator('.agent-head .badge').filter({ hasText: /^Stalled for/ })).toBeVisible()
  await expect(moments.filter({ hasText: 'Stalled' })).toContainText('No output for')
  await openAgent(page, server, worker.id, transport)
  await expect(page.locator('.fact-tasks')).toContainText('0 of 2 tasks, 1 done')
  await expect(moments.filter({ hasText: 'Task completed' })).toHaveCount(1)
  await moments.filter({ hasText: 'Task started' }).getByRole('link').click()
  await expect(page).toHaveURL(`${server.http}/tasks/${task}`)
})
