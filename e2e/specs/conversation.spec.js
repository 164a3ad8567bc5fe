import { check } from '../fixtures/axe.js'
import { expect, lines, openAgent, test, toast, turns } from '../fixtures/test.js'

// An agent by ACP lets people choose, has commands, and goes on with conversations.
test.use({
  config: `agent_types:
  puppet:
    kind: acp
    argv: [node, ${JSON.stringify(new URL('../fixtures/acp-agent.js', import.meta.url).pathname)}]
    tasks: prompt
`,
})

/** @param {import('../fixtures/server.js').Server} server @param {string} id @param {string} [activity] */
const does = (server, id, activity = 'idle') => expect.poll(async () => (await server.agents()).find((a) => a.id === id)?.activity).toBe(activity)

test('a model is chosen, what depends on it comes, and another page learns of it', async ({ signedIn: page, server, transport, context }) => {
  const [{ id }] = await server.spawn('puppet', '--name', 'puppet')
  await openAgent(page, server, id, transport)
  const other = await context.newPage()
  await openAgent(other, server, id, transport)
  const model = page.getByRole('combobox', { name: 'Model' })
  await expect(model).toHaveValue('small')
  await expect(page.getByRole('combobox', { name: 'Mode', exact: true })).toHaveValue('ask')
  await expect(page.getByRole('combobox', { name: 'Effort' })).toHaveCount(0)
  await model.selectOption('large')
  await expect(page.getByRole('combobox', { name: 'Effort' })).toHaveValue('low')
  await expect(other.getByRole('combobox', { name: 'Model' })).toHaveValue('large')
  await expect(other.getByRole('combobox', { name: 'Effort' })).toBeVisible()

  // What the agent refuses stays as it was.
  await model.selectOption('locked')
  await expect(toast(page, 'Model was not changed')).toContainText('the model is locked')
  await expect(model).toHaveValue('large')

  await server.cli('options', id, 'effort', 'high')
  await expect(page.getByRole('combobox', { name: 'Effort' })).toHaveValue('high')
  await server.cli('stop', id)
  await expect(model).toBeHidden()
})

test('slash commands are completed by the keyboard', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('puppet', '--name', 'puppet')
  await openAgent(page, server, id, transport)
  await does(server, id)
  await expect(page.getByRole('combobox', { name: 'Model' })).toBeVisible()
  const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
  const list = page.getByRole('listbox', { name: 'Commands' })
  await expect(async () => {
    await box.fill('')
    await box.pressSequentially('/')
    await expect(list.getByRole('option')).toHaveText([/^\/plan/, /^\/play/, /^\/explain/], { timeout: 500 })
  }).toPass()
  await box.press('Escape')
  await expect(list).toBeHidden()
  await box.pressSequentially('pla')
  await expect(list.getByRole('option')).toHaveText([/^\/plan/, /^\/play/, /^\/explain/])
  await expect(list.getByRole('option', { selected: true })).toContainText('/plan')
  await box.press('ArrowDown')
  await expect(list.getByRole('option', { selected: true })).toContainText('/play')
  await check(page, 'an agent with a list of commands')
  const active = await box.getAttribute('aria-activedescendant')
  await expect(list.getByRole('option', { selected: true })).toHaveAttribute('id', active ?? '')
  await box.press('ArrowUp')
  await box.press('Tab')
  await expect(box).toHaveValue('/plan ')
  await expect(list).toBeHidden()
  await box.pressSequentially('a trip')
  await expect(list).toBeHidden()
  await box.press('Enter')
  await expect(turns(page).filter({ hasText: 'carried out /plan a trip' })).toBeVisible()

  // One that is typed whole is sent, and one that is clicked is taken.
  await box.pressSequentially('/play')
  await box.press('Enter')
  await expect(turns(page).filter({ hasText: 'carried out /play' })).toBeVisible()
  await box.pressSequentially('/exp')
  await list.getByRole('option', { name: '/explain' }).click()
  await expect(box).toHaveValue('/explain ')
  await expect(box).toBeFocused()
})

test('a conversation goes on in a new agent', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('puppet', '--name', 'puppet')
  await openAgent(page, server, id, transport)
  const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
  await does(server, id)
  await box.fill('/plan a trip')
  await box.press('Enter')
  await expect(turns(page).filter({ hasText: 'carried out' })).toBeVisible()
  const goOn = page.getByRole('button', { name: 'Continue', exact: true })
  await expect(goOn).toBeHidden()

  // What it knows of other times.
  await page.getByRole('button', { name: 'Sessions' }).click()
  const dialog = page.getByRole('dialog', { name: 'Sessions' })
  await expect(dialog.getByRole('listitem')).toHaveCount(1)
  await expect(dialog.getByRole('button', { name: 'This one: What we said' })).toBeDisabled()
  await check(page, 'the sessions of an agent')
  await dialog.getByRole('button', { name: 'More' }).click()
  await expect(dialog.getByRole('listitem')).toHaveCount(2)
  await expect(dialog.getByRole('button', { name: 'More' })).toBeHidden()
  await dialog.getByRole('button', { name: 'Continue in a new agent: An older one' }).click()
  await expect(page).not.toHaveURL(new RegExp(id))
  await expect(turns(page).filter({ hasText: '/plan a trip' }).first()).toBeVisible()
  await expect(turns(page).filter({ hasText: 'The conversation goes on here' })).toHaveCount(1)

  // That of an agent that has ended.
  await page.goto(`${server.http}/agents/${id}`)
  await server.cli('stop', id)
  await expect(goOn).toBeVisible()
  await goOn.click()
  await expect(page).not.toHaveURL(new RegExp(id))
  await expect(turns(page).filter({ hasText: '/plan a trip' }).first()).toBeVisible()
  await does(server, page.url().split('/').at(-1) ?? '')
})

test('a tool call is a card with its diffs, thoughts are folded, and all of it is text, too', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('puppet', '--name', 'puppet')
  await openAgent(page, server, id, transport)
  await does(server, id)
  const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
  await box.fill('think about it')
  await box.press('Enter')
  await box.fill('edit notes.txt')
  await box.press('Enter')
  const thought = page.locator('.turn[data-kind="thought"]')
  const card = page.locator('.turn[data-kind="tool"]').filter({ hasText: 'Edit notes.txt' })
  for (const reloaded of [false, true]) {
    if (reloaded) await page.reload()
    await expect(turns(page).nth(2)).toContainText('think about it')
    await expect(thought).toContainText('Well, about it')
    await expect(thought.getByText('and on it goes')).toBeHidden()
    await thought.locator('summary').click()
    await expect(thought.getByText('and on it goes')).toBeVisible()

    // The diffs are long, so they are folded.
    await expect(card).toHaveCount(1)
    await expect(card).toHaveAttribute('data-state', 'completed')
    await expect(card.locator('summary')).toContainText('Lines added: +61')
    await expect(card.getByRole('table')).toHaveCount(0)
    await card.locator('summary').click()
    await expect(card.getByRole('table', { name: 'Diff of notes.txt', exact: true })).toContainText('two')
    await expect(card.getByRole('table', { name: 'Diff of notes.txt', exact: true }).locator('[data-op="-"]')).toHaveCount(1)
    await expect(card.getByRole('table', { name: 'Diff of notes.txt.new' }).locator('[data-op="+"]')).toHaveCount(60)
    await expect(card).toContainText('Image, image/png')
  }
  await check(page, 'a conversation')

  // A short diff is open, and what a reader has opened stays open.
  await box.fill('mend notes.txt')
  await box.press('Enter')
  const short = page.locator('.turn[data-kind="tool"]').filter({ hasText: 'Mend notes.txt' })
  await expect(short.getByRole('table')).toContainText('three')
  await expect(thought.getByText('and on it goes')).toBeVisible()

  // As text: found by the search, and remembered as what is shown.
  await page.getByRole('button', { name: 'Output', exact: true }).click()
  await expect(turns(page).first()).toBeHidden()
  await expect(lines(page).filter({ hasText: '✓ Edit notes.txt' })).toHaveCount(1)
  await expect(lines(page).filter({ hasText: '●' })).toHaveCount(0)
  await expect(lines(page).filter({ hasText: 'notes.txt (+1 −1)' }).first()).toBeVisible()
  await expect(lines(page).filter({ hasText: /^\S*\s+- two$/ }).first().locator('.f1')).toBeVisible()
  await expect(lines(page).filter({ hasText: 'image/png, 3 kB' })).toBeVisible()
  await expect(lines(page).filter({ hasText: /… \d+ more lines/ })).toBeVisible()
  await page.reload()
  await expect(lines(page).filter({ hasText: '✓ Edit notes.txt' })).toBeVisible()
  await page.keyboard.press('v')
  await expect(card).toBeVisible()
  await page.keyboard.press('/')
  await expect(page.getByRole('searchbox', { name: 'Search the output' })).toBeFocused()
  await expect(card).toBeHidden()
})

test('a reader of a long conversation stays where he is, and goes back to its beginning', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('puppet', '--name', 'puppet')
  await does(server, id)
  await openAgent(page, server, id, transport)
  const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
  await box.fill('many 100')
  await box.press('Enter')
  await expect(turns(page).last()).toContainText('number 99')
  await expect(turns(page).last()).toBeInViewport()
  await page.reload()
  await expect(turns(page).last()).toContainText('number 99')
  await expect(turns(page).last()).toBeInViewport()
  await expect(turns(page)).toHaveCount(80)
  const talk = page.getByRole('region', { name: 'Conversation', exact: true })
  await talk.evaluate((el) => el.scrollTo(0, 0))
  await page.getByRole('button', { name: 'Show what was before' }).click()
  await expect(turns(page).filter({ hasText: 'ACP agent puppet' })).toHaveCount(1)
  await expect(page.getByRole('button', { name: 'Show what was before' })).toBeHidden()
  await talk.evaluate((el) => el.scrollTo(0, 0))
  await server.cli('send', id, 'many 1')
  await page.getByRole('button', { name: 'To the newest' }).click()
  await expect(turns(page).last()).toContainText('number 0')
  await expect(turns(page).last()).toBeInViewport()
  await expect(page.getByRole('button', { name: 'To the newest' })).toBeHidden()
})

test('another agent goes on in a copy of a conversation, and the first one in its own', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('puppet', '--name', 'puppet')
  await openAgent(page, server, id, transport)
  const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
  const say = async (/** @type {string} */ text) => {
    await box.fill(text)
    await box.press('Enter')
  }
  await does(server, id)
  await say('/plan a trip')
  await expect(turns(page).filter({ hasText: 'carried out /plan a trip' })).toBeVisible()
  await page.getByRole('button', { name: 'Fork' }).click()
  await page.waitForURL((url) => !url.pathname.endsWith(id))
  const copy = page.url().split('/').at(-1) ?? ''
  await say('/play')
  await say('recall')
  await expect(turns(page).filter({ hasText: 'told: /plan a trip; /play' })).toBeVisible()
  await openAgent(page, server, id, transport)
  await say('recall')
  await expect(turns(page).filter({ hasText: /told: \/plan a trip\s*$/ })).toBeVisible()
  const sessions = (await server.agents()).map((a) => [a.id, a.session, a.status])
  expect(sessions).toContainEqual([id, 's1', 'running'])
  expect(sessions).toContainEqual([copy, expect.stringMatching(/^fork-/), 'running'])
})
