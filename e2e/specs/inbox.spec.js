import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { client } from '../fixtures/client.js'
import { expect, live, openAgent, test } from '../fixtures/test.js'

/** @param {import('@playwright/test').Page} page */
const cards = (page) => page.getByRole('main').getByRole('article')

/** @param {import('@playwright/test').Page} page @param {string | RegExp} text */
const card = (page, text) => cards(page).filter({ hasText: text })

/** @param {import('@playwright/test').Page} page */
const lately = (page) => page.getByRole('region', { name: 'Lately' }).getByRole('listitem')

/** The link in the navigation, whose name ends with the number of questions. @param {import('@playwright/test').Page} page */
const inbox = (page) => page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: /^Inbox/ })

/**
 * Spawns agents that ask the same and then say what they were answered.
 * @param {import('../fixtures/server.js').Server} server @param {string} name @param {string} question
 */
async function asker(server, name, question) {
  const [agent] = await server.spawn('scripted', '--name', name, '--script', `ask ${question}\nsay got \${reply}\nread`)
  return agent
}

/** @param {import('../fixtures/server.js').Server} server @param {string} id @param {string} text the last line that an agent printed */
const says = (server, id, text) => expect.poll(async () => (await server.agents()).find((a) => a.id === id)?.last_line).toBe(text)

/** @param {import('@playwright/test').Page} page @param {import('../fixtures/server.js').Server} server @param {'webtransport' | 'websocket'} transport */
async function openInbox(page, server, transport) {
  await page.goto(`${server.http}/inbox`)
  await live(page, transport)
}

test('questions appear, are answered one by one, together and by the keyboard, and their agents go on', async ({ signedIn: page, server, transport }) => {
  await test.step('a question appears, is answered in place, and its agent goes on', async () => {
    await openInbox(page, server, transport)
    await expect(page.getByRole('heading', { name: 'Nobody waits for you' })).toBeVisible()
    await expect(inbox(page)).toHaveAccessibleName('Inbox')
    await expect(page).toHaveTitle('Inbox · Skein')
    await check(page, 'an empty inbox')

    const { id } = await asker(server, 'reviewer', 'Merge <b>into</b> main?')
    await expect(card(page, 'reviewer asks')).toContainText('Merge <b>into</b> main?')
    await expect(inbox(page)).toHaveAccessibleName('Inbox 1')
    await expect(page).toHaveTitle('(1) Inbox · Skein')
    await expect(page.getByRole('heading', { name: 'Nobody waits for you' })).toBeHidden()
    const second = await asker(server, 'other', 'Which way?')
    await expect(page).toHaveTitle('(2) Inbox · Skein')
    await expect(cards(page).getByRole('heading')).toHaveText([/reviewer/, /other/]) // the oldest first

    await card(page, 'reviewer').getByRole('textbox', { name: 'Answer reviewer' }).fill('yes')
    await card(page, 'reviewer').getByRole('button', { name: 'Send' }).click()
    await expect(card(page, 'reviewer')).toHaveCount(0)
    await says(server, id, 'got yes')
    await expect(page).toHaveTitle('(1) Inbox · Skein')
    await expect(lately(page)).toContainText([/reviewer.*Merge <b>into<\/b> main\?.*Answered.*yes, by dashboard/])

    // What is typed stays when another question goes.
    const box = card(page, 'other').getByRole('textbox')
    await box.fill('le')
    const third = await asker(server, 'third', 'And now?')
    await expect(card(page, 'third')).toBeVisible()
    await server.cli('send', 'third', 'nothing')
    await expect(card(page, 'third')).toHaveCount(0)
    await expect(box).toBeFocused()
    await page.keyboard.type('f')
    const fourth = await asker(server, 'fourth', 'At last?')
    await card(page, 'fourth').getByRole('textbox').fill('x')
    await server.cli('send', 'other', 'right')
    await says(server, second.id, 'got right')
    await expect(card(page, 'fourth').getByRole('textbox')).toBeFocused() // what is above it ended
    await page.keyboard.type('y')
    await page.keyboard.press('Enter')
    await says(server, fourth.id, 'got xy')
    await says(server, third.id, 'got nothing')
    await expect(card(page, 'other').getByRole('status')).toHaveText(/^Answered right, by /)
    await expect(box).toHaveValue('lef')
    await card(page, 'other').getByRole('button', { name: 'Dismiss' }).click()
    await expect(page.getByRole('heading', { name: 'Nobody waits for you' })).toBeVisible()
    await expect(page).toHaveTitle('Inbox · Skein')
  })

  await test.step('the same question is answered once for all, or one by one', async () => {
    const [a, b, c] = [await asker(server, 'a', 'Left or right?'), await asker(server, 'b', 'Left or right?'), await asker(server, 'c', 'Left or right?')]
    await openInbox(page, server, transport)
    await expect(cards(page)).toHaveCount(1)
    const group = card(page, '3 scripted agents ask')
    await group.getByText('One by one').click()
    await group.getByRole('textbox', { name: 'Answer b' }).fill('right')
    await check(page, 'the same question of three')
    await page.keyboard.press('Enter')
    await says(server, b.id, 'got right')
    const two = card(page, '2 scripted agents ask')
    await expect(two.getByRole('textbox', { name: 'Answer a', exact: true })).toBeVisible() // it is open still
    await two.getByRole('textbox', { name: 'Answer all 2' }).fill('left')
    await two.getByRole('button', { name: 'Send all 2' }).click()
    await expect(cards(page)).toHaveCount(0)
    for (const { id } of [a, c]) await says(server, id, 'got left')
    await expect(lately(page).filter({ hasText: 'Left or right?' })).toHaveCount(3)
  })

  await test.step('the keyboard alone', async () => {
    const first = await asker(server, 'first', 'One?')
    const second = await asker(server, 'second', 'Two?')
    await openInbox(page, server, transport)
    await page.keyboard.press('j')
    await expect(card(page, 'first asks')).toBeFocused()
    await page.keyboard.press('j')
    await expect(card(page, 'second asks')).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(page.getByRole('textbox', { name: 'Answer second' })).toBeFocused()
    await page.keyboard.type('2')
    await page.keyboard.press('Enter')
    await says(server, second.id, 'got 2')
    await expect(card(page, 'first asks'), 'the focus moves on').toBeFocused()
    await page.keyboard.press('k')
    await expect(card(page, 'first asks')).toBeFocused()
    await page.keyboard.press('Enter')
    await page.keyboard.type('1')
    await page.keyboard.press('Enter')
    await says(server, first.id, 'got 1')
    await expect(cards(page), 'else the next key would be typed into the answer').toHaveCount(0)
    await page.keyboard.press('?')
    await expect(page.getByRole('dialog', { name: 'Keyboard' })).toContainText('Next and previous question')
  })
})

test('every page counts, and answers that are late, refused or for a terminal', async ({ fleet: page, server, transport }) => {
  await test.step('every page counts the questions', async () => {
    await asker(server, 'one', 'This?')
    await expect(inbox(page)).toHaveAccessibleName('Inbox 1')
    await expect(page).toHaveTitle('(1) Fleet · Skein')
    const { id } = await asker(server, 'two', 'That?')
    await openAgent(page, server, id, transport)
    await expect(page).toHaveTitle('(2) ? two · Skein')
    for (const path of ['/tasks', '/memory', '/artifacts', '/network']) {
      await page.goto(server.http + path)
      await expect(page).toHaveTitle(/^\(2\) /) // before there is a session
      await expect(inbox(page)).toHaveAccessibleName('Inbox 2')
    }
    await live(page, transport)
    await server.cli('send', 'one', 'yes')
    await expect(page).toHaveTitle('(1) Network · Skein')
    await expect(inbox(page)).toHaveAccessibleName('Inbox 1')
    await server.cli('stop', 'one', 'two')
  })

  await test.step('an answer that the server refuses is told beside the card', async () => {
    await asker(server, 'refused', 'Merge?')
    await openInbox(page, server, transport)
    // As if it had become another question in the moment of the click.
    await page.locator('input[name="prompt"]').evaluate((el) => el.setAttribute('value', 'another'))
    await card(page, 'refused').getByRole('textbox').fill('yes')
    await card(page, 'refused').getByRole('button', { name: 'Send' }).click()
    await expect(card(page, 'refused').getByRole('status')).toHaveText('The question is another one than was shown: Merge?')
    await expect(card(page, 'refused').getByRole('textbox')).toHaveValue('yes')
    await check(page, 'a refused answer')
    await server.cli('stop', 'refused')
  })

  await test.step('a program that waits in its terminal is answered there', async () => {
    const ask = Buffer.from('approve Bash: rm -rf build').toString('base64')
    const [{ id }] = await server.spawn('shell', '--tty', '--name', 'claude', '--', 'sh', '-c', `printf '\\033]7501;state=blocked:kind=permission:app=x:msg=${ask}\\033\\\\'; read x`)
    await openInbox(page, server, transport)
    await expect(card(page, 'claude waits in a terminal')).toContainText('approve Bash: rm -rf build')
    await page.keyboard.press('j')
    await page.keyboard.press('o')
    await expect(page).toHaveURL(`${server.http}/agents/${id}`)
    await server.cli('stop', 'claude')
  })

  await test.step('who answers late is told who was first, and loses nothing', async () => {
    const { id } = await asker(server, 'reviewer', 'Merge?')
    await openInbox(page, server, transport)
    const other = await page.context().newPage()
    await openInbox(other, server, transport)
    const late = card(other, 'reviewer').getByRole('textbox')
    await late.fill('no, wait for the tests')

    await card(page, 'reviewer').getByRole('textbox').fill('yes')
    await page.keyboard.press('Enter')
    await says(server, id, 'got yes')
    await expect(card(other, 'reviewer').getByRole('status')).toHaveText('Answered yes, by dashboard.')
    await expect(late).toHaveValue('no, wait for the tests')
    await expect(card(other, 'reviewer').getByRole('button', { name: 'Send' })).toBeDisabled()
    await asker(server, 'next', 'Another?')
    await expect(card(other, 'next')).toBeVisible()
    await expect(late, 'it stays, whatever else happens').toHaveValue('no, wait for the tests')
    await card(other, 'reviewer').getByRole('button', { name: 'Dismiss' }).click()
    await expect(card(other, 'reviewer')).toHaveCount(0)
    await expect(card(other, 'next')).toBeVisible()
  })
})

test('a background page notifies of each new question, once', async ({ fleet: page, server, transport, context }) => {
  await context.addInitScript(() => {
    globalThis.notes = []
    globalThis.Notification = class extends EventTarget {
      static permission = 'default'
      static async requestPermission() {
        return (this.permission = 'granted')
      }
      /** @param {string} title @param {{tag: string, body: string}} options */
      constructor(title, options) {
        super()
        globalThis.notes.push({ title, ...options, note: this })
      }
      close() {}
    }
    globalThis.away = false
    Object.defineProperty(document, 'hidden', { get: () => globalThis.away })
  })
  const notes = () => page.evaluate(() => globalThis.notes.map((/** @type {any} */ { title, body, tag }) => ({ title, body, tag })))
  const away = (/** @type {boolean} */ on) => page.evaluate((on) => void (globalThis.away = on), on)
  await asker(server, 'early', 'One?')
  await openInbox(page, server, transport)
  await page.getByRole('button', { name: 'Notify me' }).click()
  await expect(page.getByRole('button', { name: 'Notifications are on' })).toHaveAttribute('aria-pressed', 'true')
  await asker(server, 'seen', 'Two?')
  await expect(card(page, 'seen asks')).toBeVisible()
  await away(true)
  await asker(server, 'missed', 'Three?')
  await expect.poll(notes).toEqual([{ title: 'missed waits for you', body: 'Three?', tag: expect.stringMatching(/^q/) }])
  await server.cli('send', 'seen', 'x')
  await expect(card(page, 'seen asks')).toHaveCount(0)
  expect(await notes()).toHaveLength(1)

  await away(false)
  await page.evaluate(() => globalThis.notes[0].note.dispatchEvent(new Event('click')))
  await expect(page).toHaveURL(/\/inbox#q/)
  await expect(card(page, 'missed asks')).toBeFocused()
  await page.getByRole('button', { name: 'Notifications are on' }).click()
  await away(true)
  await asker(server, 'off', 'Four?')
  await expect(card(page, 'off asks')).toBeVisible()
  expect(await notes()).toHaveLength(1)
})

/** A type of agents that ask for permission, and one rule. */
const ACP = `agent_types:
  coder:
    kind: acp
    argv: [${process.execPath}, ${join(import.meta.dirname, '../fixtures/acp-agent.js')}]
    permissions: {rules: [{decision: allow, kind: execute, command: "ls *"}]}
`

test.describe('with agents that ask for permission', () => {
  test.use({ config: ACP })

  test('requests are answered in the inbox, together or one by one, and on the page of their agent', async ({ signedIn: page, server, transport }) => {
    await test.step('requests appear, are answered together, and the agents go on', async () => {
      const agents = await server.spawn('coder', '--name', 'coder', '-n', '2', '--share')
      await openInbox(page, server, transport)
      for (const { name } of agents) await server.cli('send', name, 'run make test')
      const both = card(page, '2 coder agents want to run')
      await expect(both.getByRole('group', { name: 'Command' })).toHaveText('make test')
      await check(page, 'two requests')
      await page.keyboard.press('2') // for no card
      await both.getByRole('button', { name: 'Allow all 2' }).click()
      await expect(cards(page)).toHaveCount(0)
      for (const { id } of agents) await says(server, id, 'allowed make test')
      await expect(lately(page)).toContainText([/make test.*Answered.*Allow, by dashboard/, /make test/])

      await server.cli('send', agents[0].name, 'run ls -l') // which the policy of the type allows
      await says(server, agents[0].id, 'allowed ls -l')
      await expect(lately(page).first()).toContainText(/ls -l.*Answered by policy.*Allow, by rule 1/)

      await server.cli('send', agents[0].name, 'write notes.txt')
      const edit = card(page, `${agents[0].name} wants to edit`)
      await expect(edit.getByRole('group', { name: 'Changes' })).toContainText('Added: written')
      await edit.getByText('notes.txt', { exact: true }).click() // closes the diff
      await expect(edit.getByRole('group', { name: 'Changes' })).toBeHidden()
      await server.cli('send', agents[1].name, 'run make')
      await expect(card(page, `${agents[1].name} wants to run`)).toBeVisible()
      await expect(edit.getByRole('group', { name: 'Changes' }), 'it stays as the reader left it').toBeHidden()
      await page.keyboard.press('9') // it has no such option
      await page.keyboard.press('2')
      await says(server, agents[0].id, 'rejected notes.txt')
      await expect(card(page, `${agents[1].name} wants to run`), 'the focus moves on').toBeFocused()
      await page.keyboard.press('1')
      await says(server, agents[1].id, 'allowed make')
      await server.cli('stop', ...agents.map((a) => a.name))
    })

    await test.step("a request is answered on its agent's page, where the fleet leads", async () => {
      await page.goto(server.http)
      await live(page, transport)
      const [agent] = await server.spawn('coder', '--name', 'coder')
      await server.cli('send', 'coder', 'run make test')
      await page.getByRole('link', { name: 'Answer coder' }).click()
      await live(page, transport)
      const request = card(page, 'coder wants to run')
      await expect(request).toContainText('make test')
      await expect(page.getByRole('textbox', { name: 'Answer', exact: true })).toBeHidden() // a text would be another prompt
      await check(page, 'a request on the page of its agent')
      await request.getByRole('button', { name: 'Reject' }).click()
      await expect(request).toHaveCount(0)
      await says(server, agent.id, 'rejected make test')
      await server.cli('send', 'coder', 'run make all')
      await expect(card(page, 'coder wants to run')).toContainText('make all') // live
      await server.cli('send', 'coder', 'run too')
      await server.cli('stop', 'coder')
      await expect(cards(page)).toHaveCount(0)
    })
  })
})

test('questions are answered by the library, and without JavaScript, and who is late is told', async ({ signedIn: page, server, browser }) => {
  await test.step('the library lists, waits and answers', async () => {
    const skein = client(server)
    const { position } = await skein.asks({ count: true })
    const waiting = skein.asks({ since: position, wait_ms: 25_000 })
    const { id } = await asker(server, 'first', 'Merge?')
    const { asks: [ask], pending } = await waiting
    expect(pending).toBe(1)
    expect(ask).toMatchObject({ name: 'first', kind: 'question', text: 'Merge?' })
    expect(await skein.answer({ id: ask.id, prompt: ask.prompt, text: 'yes' })).toMatchObject({ state: 'resolved', answer: { text: 'yes', by: 'elsewhere' } })
    await says(server, id, 'got yes')
    await expect(skein.answer({ id: ask.id, prompt: ask.prompt, text: 'no' })).rejects.toMatchObject({ kind: 'conflict' })
    expect((await skein.ask(ask.id)).answer).toEqual({ text: 'yes', by: 'elsewhere' })
    skein.close()
  })

  await test.step('without JavaScript questions are answered, and who is late is told', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, storageState: await page.context().storageState() })
    const { id } = await asker(server, 'reviewer', 'Merge?')
    await asker(server, 'twin-1', 'Which way?')
    const twin = await asker(server, 'twin-2', 'Which way?')
    const plain = await context.newPage()
    await plain.goto(server.http)
    await inbox(plain).click()
    await expect(plain).toHaveTitle('(3) Inbox · Skein')
    const other = await context.newPage()
    await other.goto(`${server.http}/inbox`)

    await card(plain, 'reviewer').getByRole('textbox').fill('yes')
    await card(plain, 'reviewer').getByRole('button', { name: 'Send' }).click()
    await expect(plain).toHaveURL(`${server.http}/inbox`)
    await expect(card(plain, 'reviewer')).toHaveCount(0)
    await says(server, id, 'got yes')
    await card(plain, '2 scripted').getByRole('textbox', { name: 'Answer all 2' }).fill('left')
    await card(plain, '2 scripted').getByRole('button', { name: 'Send all 2' }).click()
    await says(server, twin.id, 'got left')
    await expect(plain).toHaveTitle('Inbox · Skein')

    await card(other, 'reviewer').getByRole('textbox').fill('no, wait')
    await card(other, 'reviewer').getByRole('button', { name: 'Send' }).click()
    const told = other.getByRole('region', { name: 'Not answered' })
    await expect(told).toContainText('Dashboard has answered it already: yes.')
    await expect(told).toContainText('no, wait')
    await context.close()
  })
})
