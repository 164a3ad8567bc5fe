import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { overlaps, sticksOut } from '../fixtures/layout.js'
import { dialog, expect, lines, openAgent, test } from '../fixtures/test.js'

// The page of an agent: the output, and beside it what it asks, its facts, what it changed, made and used, and what happened to it.
test.use({
  config: `agent_types:
  puppet:
    kind: acp
    argv: [node, ${JSON.stringify(new URL('../fixtures/acp-agent.js', import.meta.url).pathname)}]
    tasks: prompt
    folder: worktree
    budget: {agent: {turns: 4}, then: pause}
  looper: {kind: exec, argv: [sh, -c, 'echo begun >>begun; exit 7'], folder: fresh, restart: {mode: delay, attempts: 1, interval: 10m, delay: 10ms}}
`,
})

/** A repository with one file. @param {string} dir */
function repository(dir) {
  const git = (/** @type {string[]} */ ...args) => execFileSync('git', ['-c', 'commit.gpgsign=false', ...args], { cwd: dir })
  mkdirSync(dir)
  writeFileSync(join(dir, 'a.txt'), 'one\n')
  git('init', '-q', '-b', 'main')
  git('config', 'user.name', 'Ada')
  git('config', 'user.email', 'ada@localhost')
  git('add', '.')
  git('commit', '-q', '-m', 'begin')
  return dir
}

test('what stands beside the output of an agent is live and covers nothing at any width', async ({ signedIn: page, server, transport }) => {
  const [puppet] = await server.spawn('puppet', '--name', 'puppet', '--cwd', repository(join(server.dir, 'project')))
  const [looper] = await server.spawn('looper', '--name', 'looper')
  const [terminal] = await server.spawn('shell', '--name', 'terminal', '--tty', '--', 'cat')
  const [silent] = await server.spawn('scripted', '--name', 'asker', '--script', 'say a line\nask Shall I?')
  await expect.poll(async () => (await server.agent('puppet')).activity).toBe('idle')

  await openAgent(page, server, puppet.id, transport)
  const changes = page.getByRole('region', { name: 'Changes' })
  await expect(changes).toContainText('No changes since main')
  await expect(page.getByRole('region', { name: 'Usage' })).toContainText('0 of 4 turns')
  const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
  await box.fill('/plan <b>step</b>')
  await box.press('Enter') // it keeps what it was told in a file of its folder
  await expect(changes.getByRole('link', { name: 'Added: said' })).toBeVisible()
  await expect(page.getByRole('region', { name: 'Usage' })).toContainText('1 of 4 turns')
  const steps = page.getByRole('region', { name: 'Plan' }).getByRole('listitem')
  const plan = ['Done: <b>step</b> 1', 'Doing: <b>step</b> 2', 'To do: <b>step</b> 3']
  await expect(steps).toHaveText(plan)
  await page.reload()
  await expect(steps).toHaveText(plan)
  await box.fill('run rm -rf build')
  await box.press('Enter')
  await expect(page.getByRole('button', { name: 'Allow' })).toBeVisible()
  await check(page, 'an agent with all that it may have')

  for (const { id } of [puppet, looper, terminal, silent]) {
    await openAgent(page, server, id, transport)
    await expect(page.locator('.talk, .lines:not([inert]), .xterm-screen').filter({ visible: true }).first()).toBeVisible()
    for (const width of [360, 600, 1024, 1440, 1920]) {
      await page.setViewportSize({ width, height: 800 })
      await expect.poll(() => overlaps(page), `${id} at ${width}`).toEqual([])
      await expect.poll(() => sticksOut(page), `${id} at ${width}`).toEqual({ page: 0, elements: [] })
    }
  }

  // On a phone, a thumb at the end of the first screen comes to the question.
  await page.setViewportSize({ width: 400, height: 800 })
  await openAgent(page, server, puppet.id, transport)
  const jump = page.getByRole('link', { name: '1 question' })
  await expect(jump).toBeInViewport()
  await jump.click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await expect(lines(page).filter({ hasText: 'allowed rm -rf build' })).toBeAttached()
  await expect(jump).toBeHidden()

  // One that fails again and again is started at once.
  await openAgent(page, server, looper.id, transport)
  const before = (await server.agent('looper')).generation
  await page.getByRole('button', { name: 'Start now' }).click()
  await expect.poll(async () => (await server.agent('looper')).generation).toBe(before + 1)
})

test('an agent is restarted, and spawned again with changes', async ({ signedIn: page, server, transport }) => {
  const [one] = await server.spawn('shell', '--name', 'one', '--folder', 'fresh', '--label', 'team=core', '--env', 'SECRET=sesame', '--', 'sh', '-c', 'echo "says $SECRET $1"; exec sleep 300', 'sh', 'hello')
  await openAgent(page, server, one.id, transport)
  await expect(lines(page)).toHaveText(['says sesame hello'])

  // It is at work, so that it asks first.
  const ask = dialog(page, 'Restart one?')
  await page.getByRole('button', { name: 'Restart' }).click()
  await expect(ask).toContainText('Its process ends, and another one takes its place')
  await ask.getByRole('button', { name: 'Cancel' }).click()
  expect((await server.agent('one')).generation).toBe(1)
  await page.getByRole('button', { name: 'Restart' }).click()
  await ask.getByRole('button', { name: 'Restart' }).click()
  await expect(lines(page)).toHaveText(['says sesame hello', 'says sesame hello'])
  await expect(page.getByRole('complementary', { name: 'Timeline' })).toContainText('Restarting')
  expect(await server.agent('one')).toMatchObject({ id: one.id, generation: 2, status: 'running' })

  // The form has all that it was spawned with, but for the secret.
  await page.getByRole('button', { name: 'With changes…' }).click()
  const form = dialog(page, 'Spawn agents')
  await expect(form.getByRole('radio', { name: /^shell/ })).toBeChecked()
  await expect(form.getByRole('textbox', { name: 'Name' })).toHaveValue('one')
  await expect(form.getByRole('textbox', { name: 'Labels' })).toHaveValue('team=core')
  await expect(form.getByRole('textbox', { name: 'Environment' })).toHaveValue('SECRET=')
  const command = form.getByRole('textbox', { name: 'Command', exact: true })
  await expect(command).toHaveValue(`sh -c 'echo "says $SECRET $1"; exec sleep 300' sh hello`)
  await check(page, 'the form with an agent')
  await command.fill((await command.inputValue()).replace(/hello$/, 'goodbye'))
  await form.getByRole('button', { name: 'Spawn', exact: true }).click()
  await expect(form).toContainText('Give SECRET a value, or remove its line')
  await form.getByRole('textbox', { name: 'Environment' }).fill('SECRET=open')
  await form.getByRole('button', { name: 'Spawn', exact: true }).click()
  await expect(lines(page)).toHaveText(['says open goodbye'])
  const next = page.url().split('/').at(-1) ?? ''
  expect(next).not.toBe(one.id)
  expect((await server.agents()).find((a) => a.id === next)).toMatchObject({ name: 'one', labels: { team: 'core' }, env_names: ['SECRET'] })

  // In place of one that has ended another one is spawned, with its environment.
  await server.cli('stop', one.id)
  await openAgent(page, server, one.id, transport)
  await page.getByRole('button', { name: 'Restart' }).click()
  await page.waitForURL((url) => !url.pathname.endsWith(one.id))
  await expect(lines(page)).toHaveText(['says sesame hello'])

  // One that has ended can be removed. Its page says when somebody else does it.
  await openAgent(page, server, one.id, transport)
  await server.cli('rm', one.id)
  await expect(page.getByRole('region', { name: 'Removed' })).toContainText('one was removed. What you see is no longer kept.')
  await expect(page.getByRole('button', { name: 'Spawn again' })).toBeHidden()
  await server.cli('stop', next)
  await openAgent(page, server, next, transport)
  await page.getByRole('button', { name: 'Remove…' }).click()
  const sure = dialog(page, 'Remove one?')
  await expect(sure).toContainText('What it has printed goes with it, for good.')
  await sure.getByRole('button', { name: 'Remove', exact: true }).click()
  await page.waitForURL((url) => url.pathname === '/')
  expect((await server.agents()).map((a) => a.id)).not.toContain(next)
})
