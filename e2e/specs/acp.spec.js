import { expect, live, openAgent, state, test, turns } from '../fixtures/test.js'

// The agent is the example of the protocol's own library for JavaScript, a peer that Skein did not write.
test.use({
  config: `agent_types:
  coder:
    kind: acp
    argv: [node, ${JSON.stringify(new URL('../node_modules/@agentclientprotocol/sdk/dist/examples/agent.js', import.meta.url).pathname)}]
    tasks: prompt
    permissions: {otherwise: ask}
`,
})

/** @param {import('@playwright/test').Page} page @param {string} text */
async function prompt(page, text) {
  const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
  await box.fill(text)
  await box.press('Enter')
}

/** @param {import('../fixtures/server.js').Server} server @param {string} id @param {string} activity */
const does = (server, id, activity) => expect.poll(async () => (await server.agents()).find((a) => a.id === id)?.activity).toBe(activity)

test('an agent is given a prompt, asks for a permission, gets it, and is interrupted', async ({ signedIn: page, server, transport, context }) => {
  const [{ id }] = await server.spawn('coder', '--name', 'coder')
  await openAgent(page, server, id, transport)
  await does(server, id, 'idle')
  await prompt(page, 'Change the configuration')
  await expect(turns(page).filter({ hasText: 'reading some files' })).toBeVisible()
  await expect(turns(page).filter({ hasText: 'Reading project files' })).toBeVisible()
  await expect(page.getByRole('article')).toContainText('Modifying critical configuration file')

  const other = await context.newPage()
  await other.goto(`${server.http}/inbox`)
  await live(other, transport)
  const card = other.getByRole('main').getByRole('article')
  await expect(card).toContainText('Modifying critical configuration file')
  await expect(card).toContainText('/home/user/project/config.json')
  await card.getByRole('button', { name: 'Allow this change' }).click()
  await expect(card).toHaveCount(0)
  await expect(turns(page).last()).toContainText('Perfect!')
  await does(server, id, 'idle')

  // A turn that waits for a permission ends when it is interrupted, and its question goes.
  await prompt(page, 'Once more')
  await expect(card).toHaveCount(1)

  // Meanwhile others wait, and can be changed.
  await prompt(page, 'Then this')
  await prompt(page, 'And that')
  const next = page.getByRole('region', { name: 'Says next' })
  await expect(next.getByRole('listitem')).toContainText(['Then this', 'And that'])
  await next.getByRole('listitem').first().getByRole('button', { name: 'Drop' }).click()
  await expect(next.getByRole('listitem')).toHaveCount(1)
  await next.getByRole('button', { name: 'Edit' }).click()
  await expect(next).toBeHidden()
  await expect(page.getByRole('textbox', { name: 'Give the agent a prompt' })).toHaveValue('And that')

  await page.getByRole('button', { name: 'Interrupt' }).click()
  await expect(card).toHaveCount(0)
  await expect(turns(page).last()).toContainText('It was canceled')
  await does(server, id, 'idle')

  await server.cli('stop', id)
  await expect(state(page)).toContainText('Stopped')
})

test('a task is a prompt', async ({ server }) => {
  const waits = server.cli('task', 'submit', '--type', 'coder', '--wait', '--input', 'Do it')
  await expect.poll(async () => JSON.parse(await server.cli('inbox', '--json')).asks.length).toBe(1)
  const [ask] = JSON.parse(await server.cli('inbox', '--json')).asks
  await server.cli('inbox', 'answer', ask.id, 'reject')
  expect(await waits).toContain("I'll skip the configuration update.")
})

test('an agent is paused, and what is said to it waits until it is resumed', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('coder', '--name', 'coder')
  await openAgent(page, server, id, transport)
  await does(server, id, 'idle')
  await page.getByRole('button', { name: 'Pause', exact: true }).click()
  await expect(page.getByRole('button', { name: 'Resume', exact: true })).toBeVisible()
  await expect(page.locator('#agent-head')).toContainText('Paused')
  await prompt(page, 'Later')
  const next = page.getByRole('region', { name: 'Says next' })
  await expect(next).toContainText('Later')
  expect(await server.cli('ps')).toMatch(/coder.*paused/)
  await page.getByRole('button', { name: 'Resume', exact: true }).click()
  await expect(next).toBeHidden()
  await expect(turns(page).filter({ hasText: 'reading some files' })).toBeVisible()
  await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeVisible()
})
