import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { client } from '../fixtures/client.js'
import { confirmStop, expect, lives, rows, signIn, test } from '../fixtures/test.js'

const WORKS = 'while :; do echo working; sleep 1; done'

test.use({
  config: `agent_types:
  coder: {kind: exec, argv: [sh, -c, 'echo "print(1)" >>main.py; echo done; sleep 600'], folder: worktree}
  worker: {kind: exec, argv: [sh, -c, '${WORKS}']}
  lathe: {kind: scripted, script: "repeat forever\\nsay turn \${i}\\nwait 1s..3s\\nend"}
  once: {kind: exec, tasks: process, argv: [cat]}
`,
})
test.setTimeout(300_000)

/** @param {string} dir a repository with one file is made there */
function repository(dir) {
  mkdirSync(dir)
  writeFileSync(join(dir, 'main.py'), 'print(0)\n')
  for (const args of [['init', '-q', '-b', 'main'], ['config', 'user.name', 'Ada'], ['config', 'user.email', 'ada@localhost'], ['add', '.'], ['commit', '-q', '-m', 'begin']]) {
    execFileSync('git', ['-c', 'commit.gpgsign=false', ...args], { cwd: dir })
  }
  return dir
}

/** Sixty agents of several kinds, of which one asks and one crashed, and three hundred tasks. @param {import('../fixtures/server.js').Server} server */
async function aFleet(server) {
  await server.spawn('worker', '--name', 'worker', '-n', '20')
  await server.spawn('lathe', '--name', 'lathe', '-n', '25')
  await server.spawn('shell', '--tty', '--name', 'terminal', '-n', '8', '--', 'sh', '-c', 'echo ready; sleep 600')
  await server.spawn('shell', '--name', 'crashed', '--', 'sh', '-c', 'echo "no such table" >&2; exit 3')
  await server.spawn('coder', '--name', 'coder', '-n', '5', '--cwd', repository(join(server.dir, 'project')))
  const [asker] = await server.spawn('scripted', '--name', 'release', '--script', 'ask Shall I publish version 2?\nsay published\nidle 1h')
  const skein = client(server)
  await skein.tasks.submit(Array.from({ length: 300 }, (_, i) => ({ type: 'once', name: `sum ${i}`, input: String(i) })))
  skein.close()
  return asker
}

// What somebody does who was told nothing: looks who needs him, answers, looks at what a coder has changed, and stops an agent.
test('who needs me, an answer, a diff and a stop, in a minute', { tag: '@soak' }, async ({ page, server, transport }, testInfo) => {
  const asker = await aFleet(server)
  await signIn(page, server)
  const begun = Date.now()
  const so = async (/** @type {string} */ what) => testInfo.annotations.push({ type: what, description: `${Date.now() - begun} ms` })

  await page.goto(server.http)
  const needs = page.getByRole('rowgroup', { name: 'Needs you' })
  await expect(needs.getByRole('row')).toHaveCount(2) // its head, and the one
  await expect(needs).toContainText('Shall I publish version 2?')
  await so('he sees who needs him')

  await needs.getByRole('textbox', { name: /^Answer/ }).fill('yes')
  await page.keyboard.press('Enter')
  await expect(needs).toBeHidden()
  await so('it is answered')

  await page.getByRole('searchbox', { name: /^Filter/ }).fill('coder')
  await rows(page).first().getByRole('link').first().click()
  await page.getByRole('link', { name: 'Changes' }).click()
  await expect(page.locator('tr[data-op="+"]')).toContainText(['print(1)'])
  await so('he sees the diff')

  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Fleet' }).click()
  await page.getByRole('searchbox', { name: /^Filter/ }).fill('worker-7')
  await expect(rows(page)).toHaveCount(1)
  await rows(page).first().hover()
  await rows(page).first().getByRole('button', { name: 'Stop' }).click()
  await confirmStop(page)
  const pid = (await server.agent('worker-7')).process?.pid
  await expect(page.getByRole('region', { name: 'Notifications' })).toContainText('is stopped')
  await so('it is stopped')
  const took = Date.now() - begun

  expect(pid === undefined || !lives(pid), 'its process is gone').toBe(true)
  await expect.poll(() => server.cli('logs', asker.id)).toContain('published')
  expect(took).toBeLessThan(60_000)
  console.log(`who needs me, an answer, a diff and a stop: ${(took / 1000).toFixed(1)} s over ${transport} (${testInfo.annotations.filter((a) => a.description).map((a) => `${a.type} at ${a.description}`).join(', ')})`)
})
