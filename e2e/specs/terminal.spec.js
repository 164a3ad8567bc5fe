import { readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { dialog, expect, live, openAgent, row, signIn, state, test } from '../fixtures/test.js'

/** Reads lines in a terminal. Each tells what happens. */
const TYPIST = `while read -r line; do case $line in exit) exit 3;; size) stty size;; *) echo "got $line"; echo "$line" >> typed;; esac; done`

/** @param {import('@playwright/test').Page} page */
const terminal = (page) => page.getByRole('group', { name: 'Terminal' })

/** The lines that a terminal shows. @param {import('@playwright/test').Page} page */
const screen = (page) => terminal(page).locator('.xterm-rows > div')

/** @param {import('@playwright/test').Page} page @param {string} text what the last line with text says */
async function shows(page, text) {
  await expect.poll(async () => (await screen(page).allTextContents()).map((line) => line.replaceAll('\u00a0', ' ').trimEnd()).filter(Boolean).at(-1), { timeout: 30_000 }).toBe(text)
}

/** @param {import('@playwright/test').Page} page */
const writes = (page) => page.getByRole('region', { name: 'Terminal' }).getByRole('status').filter({ hasText: /write|looks|ended|Connecting/i })

/** @param {import('../fixtures/server.js').Server} server @param {string} name @param {...string} argv */
async function spawn(server, name, ...argv) {
  const [agent] = await server.spawn('shell', '--tty', '--name', name, '--', ...argv)
  return agent
}

test('what is typed reaches the program, and what it draws the page', async ({ signedIn: page, server, transport }) => {
  const { id, cwd } = await spawn(server, 'typist', 'sh', '-c', TYPIST)
  await openAgent(page, server, id, transport)
  await expect(writes(page)).toHaveText('You write')
  await page.keyboard.type('hello ✳ 漢字\n')
  await shows(page, 'got hello ✳ 漢字')
  await expect.poll(() => readFileSync(join(cwd, 'typed'), 'utf8')).toBe('hello ✳ 漢字\n')

  await page.keyboard.type('size\n')
  const [rows, cols] = [await screen(page).count(), 0]
  await shows(page, `${rows} ${(await server.agent('typist')).tty.cols || cols}`)
  expect(rows).toBeGreaterThan(10)

  await page.reload()
  await live(page, transport)
  await expect(screen(page).filter({ hasText: 'got hello' })).toHaveCount(1) // painted, not replayed
  await page.keyboard.type('again\n')
  await shows(page, 'got again')

  await page.keyboard.type('exit\n')
  await expect(state(page)).toContainText('Failed')
  await expect(writes(page)).toHaveText('It has ended')
  await page.reload()
  await live(page, transport)
  await shows(page, 'exit') // what it showed last
})

test('one page writes, the others look on, until one takes over', async ({ signedIn: page, server, transport }) => {
  const { id } = await spawn(server, 'typist', 'sh', '-c', TYPIST)
  await openAgent(page, server, id, transport)
  await expect(writes(page)).toHaveText('You write')
  const other = await page.context().newPage()
  await other.setViewportSize({ width: 900, height: 600 })
  await openAgent(other, server, id, transport)
  await expect(writes(other)).toHaveText(/ writes · 1 more looks$/)
  await other.keyboard.type('nobody gets this\n')
  await page.bringToFront()
  await page.keyboard.type('first\n')
  for (const p of [page, other]) await shows(p, 'got first')

  await other.bringToFront()
  await other.getByRole('button', { name: 'Take over' }).click()
  await expect(writes(other)).toHaveText('You write · 1 more looks')
  await other.keyboard.type('second\n')
  for (const p of [page, other]) await shows(p, 'got second')
  await expect(page.getByRole('button', { name: 'Take over' })).toBeVisible()
  expect(await screen(page).count()).toBe(await screen(other).count()) // both have the size of the one that writes
})

test('a program that says what it waits for is one that needs somebody', async ({ fleet: page, server }) => {
  const ask = Buffer.from('approve Bash: rm -rf build').toString('base64')
  await spawn(server, 'asker', 'sh', '-c', `printf '\\033]7501;state=working:app=x\\033\\\\'; read x; printf '\\033]7501;state=blocked:kind=permission:app=x:msg=${ask}\\033\\\\'; read x; printf '\\033]7501;state=idle:app=x\\033\\\\'; read x`)
  await expect(row(page, 'asker')).toContainText('Busy')
  await server.cli('send', 'asker', 'go')
  await expect(row(page, 'asker')).toContainText('approve Bash: rm -rf build')
  await server.cli('send', 'asker', 'yes')
  await expect(row(page, 'asker')).toContainText('Idle')
  await expect(row(page, 'asker')).not.toContainText('approve')
})

test('what a hostile program writes does nothing but what it shows', async ({ signedIn: page, server, transport, context }) => {
  const evil = ['\\033]2;<img src=x onerror=alert(1)>\\007', '\\033]52;c;c3RvbGVu\\007', '\\033]8;;javascript:alert(2)\\007click\\033]8;;\\007', '\\033[21t\\033[6n', '\\033P$qm\\033\\\\', '<script>alert(3)</script>', '\\033]50;?\\007']
  const { id } = await spawn(server, 'evil', 'sh', '-c', `stty -echo; printf '${evil.join('')}\\n\\033[38;2;255;100;10morange\\033[m'; cat > typed`)
  let alerts = 0
  page.on('dialog', () => alerts++)
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await openAgent(page, server, id, transport)
  await shows(page, 'orange')
  await expect(screen(page).first()).toHaveText('click<script>alert(3)</script>')
  await expect(screen(page).getByText('orange'), 'a colour of its own, which the content security policy does not take').toHaveCSS('color', 'rgb(255, 100, 10)')
  await expect(page.getByText('<img src=x onerror=alert(1)>', { exact: true })).toBeVisible()
  await terminal(page).locator('.xterm-screen').click({ position: { x: 10, y: 8 } }) // on the word that would be a link
  expect(alerts).toBe(0)
  expect(await page.evaluate(() => navigator.clipboard.readText())).not.toBe('stolen')
})

test('the form spawns a terminal; the keyboard leaves it', async ({ fleet: page, server, transport }) => {
  await page.getByRole('button', { name: 'Spawn', exact: true }).click()
  const form = dialog(page, 'Spawn agents')
  await form.getByRole('radio', { name: /^shell/ }).check()
  await form.getByRole('textbox', { name: 'Command', exact: true }).fill(`sh -c 'test -t 0 && echo terminal; read x'`)
  await form.getByText('Terminal, folder, input').click()
  await form.getByRole('checkbox', { name: 'In a terminal' }).check()
  await form.getByRole('button', { name: /^Spawn/ }).click()
  await expect.poll(async () => (await server.agents()).length).toBe(1)
  const [agent] = await server.agents()
  expect(agent.tty).toEqual({ cols: 80, rows: 24 })
  await openAgent(page, server, agent.id, transport)
  await shows(page, 'terminal')
  await page.keyboard.press('Control+Shift+Space')
  await expect(page.getByRole('button', { name: 'Spawn again' })).toBeFocused()
  await check(page, 'a terminal', ['nested-interactive'])
})

test.describe('on a link that breaks', () => {
  test('a terminal goes on in the next session, and nothing is typed twice', async ({ page, server, transport }) => {
    await signIn(page, server)
    const { id, cwd } = await spawn(server, 'typist', 'sh', '-c', TYPIST)
    await openAgent(page, server, id, transport)
    await expect(writes(page)).toHaveText('You write')
    const typed = []
    for (let i = 0; i < 12; i++) {
      if (i % 4 === 2) await page.evaluate(() => dispatchEvent(new Event('offline')))
      await page.keyboard.type(`line ${i}\n`)
      typed.push(`line ${i}\n`)
      if (i % 4 === 3) await page.evaluate(() => dispatchEvent(new Event('online')))
    }
    await live(page, transport)
    await shows(page, 'got line 11')
    await expect.poll(() => existsSync(join(cwd, 'typed')) && readFileSync(join(cwd, 'typed'), 'utf8')).toBe(typed.join(''))
  })
})
