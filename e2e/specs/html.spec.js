import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EVIL } from '../fixtures/html.js'
import { expect, live, test } from '../fixtures/test.js'

// Whatever agents and people write is text on every page: HTML in each field adds no element, loads nothing and runs nothing. The strict
// policy of the pages would refuse the latter two, and say so in the console, which the fixture takes for an error.
const label = '<b class=evil>'
test.use({
  config: `agent_types:
  evil:
    kind: acp
    description: ${JSON.stringify(EVIL)}
    argv: [${JSON.stringify(process.execPath)}, ${JSON.stringify(join(import.meta.dirname, '../fixtures/html-agent.js'))}, ${JSON.stringify(EVIL)}]
    labels: {x: "y"}
    tasks: prompt
    permissions: {otherwise: ask}
`,
})

/** @param {import('@playwright/test').Page} page @param {string} where */
async function harmless(page, where) {
  expect(await page.locator('.evil, img[src*="evil"], [onerror], a[href^="javascript:"]').count(), where).toBe(0)
  expect(await page.evaluate(() => [...document.scripts].filter((s) => s.textContent?.includes('alert(1)') && s.type !== 'application/json').length), where).toBe(0)
}

test('HTML in every field is text on every page', async ({ signedIn: page, server, transport }) => {
  page.on('dialog', (d) => {
    throw new Error(`a dialog: ${d.message()}`)
  })
  const repo = join(server.dir, 'project')
  mkdirSync(repo)
  writeFileSync(join(repo, 'a.txt'), 'a\n')
  for (const args of [['init', '-q', '-b', 'main'], ['add', '.'], ['-c', 'user.name=Ada', '-c', 'user.email=ada@localhost', 'commit', '-q', '-m', EVIL]]) execFileSync('git', args, { cwd: repo })
  const [{ id }] = await server.spawn('evil', '--name', EVIL, '--folder', 'worktree', '--cwd', repo)
  await expect.poll(async () => (await server.agents()).find((a) => a.id === id)?.activity).toBe('idle')
  await server.cli('send', id, EVIL)
  await expect.poll(async () => JSON.parse(await server.cli('inbox', '--json')).asks.length).toBe(1)
  await server.cli('send', id, `it waits: ${EVIL}`)
  const top = (await server.agents()).find((a) => a.id === id)?.folder.top
  const name = label.replaceAll('/', '')
  writeFileSync(join(top, name), `${EVIL}\n`)
  await server.cli('spawn', 'shell', '--name', 'outbox', '--wait', '--', 'sh', '-c', 'echo "$1"; echo "$1" >"$SKEIN_OUTBOX/$2"', 'sh', EVIL, name)
  await server.cli('memory', 'set', 'space', 'key', EVIL)
  const task = JSON.parse(await server.cli('task', 'submit', '--json', '--type', 'shell', '--name', EVIL, '--input', EVIL, '--', 'sh', '-c', 'cat; echo "$1" >&2; exit 3', 'sh', EVIL)).tasks[0].id
  await server.cli('pause', id, '--reason', EVIL)

  const artifact = JSON.parse(await server.cli('artifact', 'ls', '--json')).artifacts[0].id
  const pages = ['/', `/agents/${id}`, `/agents/${id}/changes`, '/inbox', '/tasks', `/tasks/${task}`, '/schedules', '/memory', '/memory/space', '/memory/space/key', '/artifacts', `/artifacts/${artifact}`, '/usage', '/network']
  for (const path of pages) {
    await page.goto(server.http + path)
    await live(page, transport)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await harmless(page, path)
  }

  // What it says is there, as it was written.
  await page.goto(`${server.http}/agents/${id}`)
  await live(page, transport)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(EVIL)
  await expect(page.locator('#line-list')).toContainText(EVIL)
  await expect(page.getByRole('region', { name: 'Says next' })).toContainText(`it waits: ${EVIL}`)
  await expect(page.getByRole('article')).toContainText(EVIL)
  await harmless(page, 'the agent, live')
  await page.goto(`${server.http}/inbox`)
  await live(page, transport)
  await page.getByRole('main').getByRole('article').getByRole('button', { name: EVIL.slice(0, 20) }).first().click()
  await expect.poll(async () => JSON.parse(await server.cli('inbox', '--json')).asks.length).toBe(0)
  await harmless(page, 'the inbox, answered')
})
