import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { argv, dialog, expect, live, lives, row, test, toast } from '../fixtures/test.js'

/** @param {import('@playwright/test').Page} page */
async function openForm(page) {
  await page.getByRole('button', { name: 'Spawn', exact: true }).click()
  const form = dialog(page, 'Spawn agents')
  await expect(form).toBeVisible()
  return form
}

/** @param {import('@playwright/test').Locator} form @param {string} name */
const choose = (form, name) => form.getByRole('radio', { name: new RegExp(`^${name}`) }).check()

/** @param {import('@playwright/test').Locator} form @param {string} text */
const command = (form, text) => form.getByRole('textbox', { name: 'Command', exact: true }).fill(text)

/** @param {import('@playwright/test').Locator} form */
const submit = (form) => form.getByRole('button', { name: /^Spawn/ }).click()

test('the demo, commands, scripts and what failed to start', async ({ fleet: page, server, transport }) => {
  await test.step('the demo runs with nothing but a click', async () => {
    await expect(page.getByRole('heading', { name: 'No agents yet' })).toBeVisible()
    await page.getByRole('button', { name: /^Scripted demo/ }).click()
    const demo = page.getByRole('row').filter({ has: page.getByRole('link', { name: /^scripted|^demo/ }) })
    await expect(demo).toHaveCount(1)
    await expect(demo).toContainText('Running')
    await expect(demo).toContainText(/Task:|Reading/)
    await expect(page.getByRole('heading', { name: 'No agents yet' })).toBeHidden()
    await page.reload() // else the next notice would be of both agents
    await live(page, transport)
  })

  await test.step('a command becomes a process', async () => {
    const file = join(server.dir, 'left behind')
    const form = await openForm(page)
    await choose(form, 'shell')
    await command(form, `sh -c 'echo $$ > "$0"; echo ready; exec sleep 300' '${file}'`)
    await expect(form.getByLabel('Arguments').locator('code')).toHaveText(['sh', '-c', 'echo $$ > "$0"; echo ready; exec sleep 300', file])
    await form.getByRole('textbox', { name: 'Name' }).fill('writer')
    await submit(form)
    await expect(toast(page, 'writer is spawned')).toBeVisible()
    await expect(form).toBeHidden()

    const agent = row(page, 'writer')
    await expect(agent).toContainText('Running')
    await expect(agent).toContainText('ready')
    await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8').trim()).toBeTruthy()
    const pid = Number(readFileSync(file, 'utf8'))
    await expect.poll(() => argv(pid), 'sh becomes sleep').toEqual(['sleep', '300'])
    expect((await server.agent('writer')).process.pid).toBe(pid)
  })

  await test.step('folder, environment and labels reach the process', async () => {
    const form = await openForm(page)
    await choose(form, 'shell')
    await command(form, `sh -c 'cat; echo "$PWD $COLOUR"'`) // unless "No standard input" is checked, it would wait
    await form.getByRole('textbox', { name: 'Name' }).fill('placed')
    await form.getByText('Terminal, folder, input, environment, labels').click()
    await form.getByRole('textbox', { name: 'Working folder' }).fill(server.dir)
    await form.getByRole('checkbox', { name: 'No standard input' }).check()
    await form.getByRole('textbox', { name: 'Environment' }).fill('COLOUR=deep blue = nice')
    await form.getByRole('textbox', { name: 'Labels' }).fill('team=search')
    await submit(form)
    await expect(row(page, 'placed')).toContainText('Completed')
    const { id, labels } = await server.agent('placed')
    expect(await server.output(id)).toBe(`${server.dir} deep blue = nice\n`)
    expect(labels).toEqual({ team: 'search' })
  })

  await test.step('a script of one\'s own runs to its end', async () => {
    const form = await openForm(page)
    await choose(form, 'scripted')
    await form.getByRole('textbox', { name: 'Script' }).fill('say one\nwarn two\nexit 3')
    await form.getByRole('textbox', { name: 'Name' }).fill('three')
    await submit(form)
    await expect(row(page, 'three')).toContainText('Failed')
    const agent = await server.agent('three')
    expect(agent).toMatchObject({ status: 'exited', reason: 'failed', exit: { code: 3 } })
    expect(await server.output(agent.id)).toBe('one\n')
  })

  await test.step('what the command line spawns is on the page at once', async () => {
    const [agent] = await server.spawn('shell', '--name', 'elsewhere', '--', 'sleep', '300')
    await expect(row(page, 'elsewhere')).toContainText('Running')
    expect(lives(agent.process.pid)).toBe(true)
  })

  await test.step('a command that does not exist fails with its reason', async () => {
    const form = await openForm(page)
    await choose(form, 'shell')
    await command(form, '/no/such/program --flag')
    await form.getByRole('textbox', { name: 'Name' }).fill('absent')
    await submit(form)
    const failed = row(page, 'absent')
    await expect(failed).toContainText('Failed')
    await expect(failed).toContainText('/no/such/program')
    await expect(page.getByText('no such file or directory').first()).toBeVisible()
    const agent = await server.agent('absent')
    expect(agent).toMatchObject({ status: 'exited', reason: 'failed' })
    expect(agent.exit.message).toContain('/no/such/program')
    await form.getByRole('button', { name: 'Cancel' }).click() // it stays open to be corrected
  })

  await test.step('a folder that does not exist fails with its reason', async () => {
    await expect(server.spawn('shell', '--name', 'lost', '--cwd', '/no/such/folder', '--', 'true')).rejects.toThrow(/no such file|does not exist|\/no\/such\/folder/)
    const failed = row(page, 'lost')
    await expect(failed).toContainText('Failed')
    await expect(failed).toContainText('/no/such/folder')
  })

  await test.step('what was spawned is spawned again', async () => {
    const [first] = await server.spawn('shell', '--name', 'twice', '--', 'sh', '-c', 'echo "  two  spaces"; exit 1')
    await row(page, 'twice').getByRole('button', { name: 'Spawn again: twice' }).click()
    await expect(page.getByRole('link', { name: 'twice', exact: true })).toHaveCount(2)
    const both = async () => (await server.agents()).filter((a) => a.name === 'twice')
    await expect.poll(async () => (await both()).filter((a) => a.status === 'exited').length).toBe(2)
    const second = (await both()).find((a) => a.id !== first.id)
    expect(second.argv).toEqual(first.argv)
    expect(second.cwd).toBe(first.cwd)
    expect(await server.output(second.id)).toBe('  two  spaces\n')
  })
})

test('what is refused is said at its field; a batch of five is five processes', async ({ fleet: page, server }) => {
  await test.step('a missing command is said at its field', async () => {
    const form = await openForm(page)
    await choose(form, 'shell')
    await submit(form)
    const box = form.getByRole('textbox', { name: 'Command', exact: true })
    await expect(box).toHaveAttribute('aria-invalid', 'true')
    await expect(box).toHaveAccessibleDescription(/command that you give/)
    await expect(box).toBeFocused()
    await command(form, 'echo "not closed')
    await submit(form)
    await expect(box).toHaveAccessibleDescription(/is not closed/)
    expect(await server.agents()).toEqual([])
    await form.getByRole('button', { name: 'Cancel' }).click()
  })

  await test.step('a mistake in a script is said at its field, with its line', async () => {
    const form = await openForm(page)
    await choose(form, 'scripted')
    const box = form.getByRole('textbox', { name: 'Script' })
    await box.fill('say hello\nshout loudly')
    await submit(form)
    await expect(box).toHaveAttribute('aria-invalid', 'true')
    await expect(box).toHaveAccessibleDescription(/line 2.*shout/)
    expect(await server.agents()).toEqual([])
    await form.getByRole('button', { name: 'Cancel' }).click()
  })

  await test.step('a batch of five is five processes', async () => {
    const form = await openForm(page)
    await choose(form, 'shell')
    await command(form, 'sleep 300')
    await form.getByRole('textbox', { name: 'Name' }).fill('crew')
    await form.getByRole('spinbutton', { name: 'How many' }).fill('5')
    await form.getByRole('button', { name: 'Spawn 5' }).click()
    for (const n of [1, 2, 3, 4, 5]) await expect(row(page, `crew-${n}`)).toContainText('Running')
    await expect(page.getByText('5 agents, 5 alive')).toBeVisible()
    const agents = await server.agents()
    const pids = agents.map((a) => a.process.pid)
    expect(new Set(pids).size).toBe(5)
    for (const pid of pids) expect(argv(pid)).toEqual(['sleep', '300'])
  })
})

test.describe('with a type that has a cap', () => {
  test.use({ config: 'agent_types:\n  coder:\n    kind: exec\n    argv: [sleep, "300"]\n    max_instances: 2\n' })

  test('one too many is refused with the reason', async ({ fleet: page, server }) => {
    const form = await openForm(page)
    await choose(form, 'coder')
    const count = form.getByRole('spinbutton', { name: 'How many' })
    await count.fill('3')
    await submit(form)
    await expect(count).toHaveAttribute('aria-invalid', 'true')
    await expect(count).toHaveAccessibleDescription(/allows 2 agents at once \(max_instances\)/)
    expect(await server.agents(), 'all or none').toEqual([])

    await count.fill('2')
    await submit(form)
    await expect(form).toBeHidden()
    await expect(page.getByText('2 agents, 2 alive')).toBeVisible()

    await openForm(page)
    await expect(form.getByRole('radio', { name: /^coder/ })).toHaveAccessibleName(/2 \/ 2 running/)
    await count.fill('1')
    await submit(form)
    await expect(count).toHaveAccessibleDescription(/2 are alive and 1 more/)
    expect(await server.agents()).toHaveLength(2)
  })
})
