import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { sticksOut } from '../fixtures/layout.js'
import { expect, lines, live, openAgent, test } from '../fixtures/test.js'

// The agent says what it is told, so that a test sees it. A commit of what has changed since it was shown is refused with 409.
test.use({ noise: [/status of 409/], config: `agent_types:\n  coder: {kind: exec, argv: [sh, -c, 'sh work; while read line; do echo "told: $line"; done'], folder: worktree}\n` })

/** @param {string} dir @param {string[]} args */
const git = (dir, ...args) => execFileSync('git', ['-c', 'commit.gpgsign=false', ...args], { cwd: dir, encoding: 'utf8' }).trim()

/**
 * Makes a repository whose script "work" is what an agent does in its copy.
 * @param {string} dir
 * @param {string} work
 */
function repository(dir, work) {
  mkdirSync(join(dir, 'lib'), { recursive: true })
  writeFileSync(join(dir, 'lib/a.txt'), Array.from({ length: 40 }, (_, i) => `line ${i + 1}\n`).join(''))
  writeFileSync(join(dir, 'old.txt'), 'old\n')
  writeFileSync(join(dir, 'work'), work)
  git(dir, 'init', '-q', '-b', 'main')
  git(dir, 'config', 'user.name', 'Ada')
  git(dir, 'config', 'user.email', 'ada@localhost')
  git(dir, 'add', '.')
  git(dir, 'commit', '-q', '-m', 'begin')
  return dir
}

const work = `sed -i 's/^line 20$/line <b>twenty<\\/b>/; 30d' lib/a.txt; rm old.txt; echo '<script>alert(1)</script>' >'new <i>.html'; git add lib; git commit -q -m 'Change <i>a</i>'`

test('the work of an agent is read, commented, committed and discarded', async ({ signedIn: page, server, transport }) => {
  const repo = repository(join(server.dir, 'project'), work)
  const [{ id }] = await server.spawn('coder', '--name', 'Coder 1', '--cwd', repo)
  await openAgent(page, server, id, transport)
  await expect(page.getByRole('region', { name: 'Files' })).toContainText('a git worktree on skein/coder-1')
  await expect.poll(() => git(repo, 'log', '--format=%s', 'skein/coder-1')).toContain('Change')
  await page.getByRole('link', { name: 'Changes' }).click()

  await expect(page.getByRole('heading', { name: 'Changes', level: 1 })).toBeVisible()
  await expect(page.locator('#changes-summary')).toHaveText('3 files and 1 commit since main, not all committed')
  await live(page, transport)
  const files = page.getByRole('navigation', { name: 'Changed files' }).getByRole('listitem')
  await expect(files).toContainText(['lib/a.txt', 'new <i>.html', 'old.txt'])
  const file = (/** @type {string} */ name) => page.getByRole('region', { name })
  await expect(file('lib/a.txt').locator('tr[data-op="+"]')).toContainText(['line <b>twenty</b>'])
  await expect(file('lib/a.txt').locator('tr[data-op="-"]')).toContainText(['line 20', 'line 30'])
  await expect(file('new <i>.html').locator('tr[data-op="+"]')).toContainText(['<script>alert(1)</script>'])
  await check(page, 'the changes')

  // A comment on a line, by the keyboard, reaches the agent.
  const first = file('lib/a.txt').getByRole('button', { name: 'Comment on line 17' }).first()
  await first.focus()
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await page.keyboard.type('No markup here')
  await page.keyboard.press('Control+Enter')
  await expect(page.locator('#toast-list')).toContainText('The agent was told')
  await expect(page.locator('.comment-row')).toHaveCount(0)

  // Two that were begun are sent together.
  await file('lib/a.txt').getByRole('button', { name: 'Comment on line 30' }).first().click()
  await page.keyboard.type('Why is this gone?')
  await expect(page.getByRole('button', { name: 'Send all' })).toBeHidden()
  await file('new <i>.html').getByRole('button', { name: 'Comment on line 1' }).click()
  await page.keyboard.type('Not like this')
  await page.getByRole('button', { name: 'Send all' }).click()
  await expect(page.locator('.comment-row')).toHaveCount(0)

  // What was shown can be committed; what came after it can't.
  const folder = (await server.agents()).find((a) => a.id === id)?.folder.top
  writeFileSync(join(folder, 'late.txt'), 'late\n')
  await page.getByRole('textbox', { name: 'Message of the commit' }).fill('Reviewed')
  await page.getByRole('button', { name: 'Commit' }).click()
  await expect(page.getByRole('alert')).toContainText('The folder has changed since it was shown')
  await expect(page.getByRole('textbox', { name: 'Message of the commit' })).toHaveValue('Reviewed')
  await file('late.txt').getByRole('button', { name: 'Discard this file' }).click()
  await expect(page.getByRole('status').filter({ hasText: 'Discarded' })).toContainText('git branch NAME')
  await expect(files).toHaveCount(3)
  await page.getByRole('textbox', { name: 'Message of the commit' }).fill('Reviewed')
  await page.getByRole('button', { name: 'Commit' }).click()
  await expect(page.locator('#changes-summary')).toHaveText('3 files and 2 commits since main')
  expect(git(repo, 'log', '-1', '--format=%s %an', 'skein/coder-1')).toBe('Reviewed Ada')

  await openAgent(page, server, id, transport)
  for (const text of [
    'told: On lib/a.txt, line 20: `line <b>twenty</b>`', 'told: No markup here', 'told: On lib/a.txt, line 30 of what was there before: `line 30`', 'told: Why is this gone?',
    'told: On new <i>.html, line 1: `<script>alert(1)</script>`', 'told: Not like this',
  ]) await expect(lines(page).filter({ hasText: text })).toHaveCount(1)

  // The work of an agent that was stopped is kept, until it is discarded.
  await server.cli('stop', id)
  await page.goto(`${server.http}/agents/${id}/changes`)
  await expect(page.locator('#changes-summary')).toContainText('2 commits')
  await page.getByText('Discard everything…').click()
  await expect(page.locator('.discard')).toContainText('the worktree is removed, and its branch skein/coder-1 with it')
  await page.getByRole('button', { name: 'Discard', exact: true }).click()
  await expect(page.getByRole('heading', { name: 'There are no changes to show' })).toBeVisible()
  expect(git(repo, 'branch', '--list', 'skein/*')).toBe('')
})

test('many changes, on a narrow screen: what is not shown is loaded when it is opened', async ({ signedIn: page, server }) => {
  const repo = repository(join(server.dir, 'project'), `for i in $(seq 10 39); do echo "$i" >"file-$i.txt"; done; seq 1 4000 >long.txt; printf '\\0\\1' >data.bin`)
  const [{ id }] = await server.spawn('coder', '--name', 'c', '--cwd', repo)
  await expect.poll(async () => JSON.parse(await server.cli('changes', id, '--json')).total).toBe(32)
  await page.setViewportSize({ width: 400, height: 800 })
  await page.goto(`${server.http}/agents/${id}/changes`)
  expect(await sticksOut(page)).toEqual({ page: 0, elements: [] })
  const last = page.getByRole('region', { name: 'file-39.txt' })
  await expect(last.locator('table')).toBeHidden()
  await page.getByRole('navigation', { name: 'Changed files' }).getByRole('link', { name: 'file-39.txt' }).click()
  await expect(last.locator('tr[data-op="+"]')).toContainText(['39'])
  const long = page.getByRole('region', { name: 'long.txt' })
  await long.locator('summary').click()
  await expect(long.locator('tr[data-op="+"]')).toHaveCount(4000)
  await expect(page.getByRole('region', { name: 'data.bin' })).toContainText('A binary file.')
  expect(await sticksOut(page)).toEqual({ page: 0, elements: [] })

  const folder = (await server.agents()).find((a) => a.id === id)?.folder.top
  expect(readFileSync(join(folder, 'file-39.txt'), 'utf8')).toBe('39\n')
})

test('an agent in no repository, and one whose worktree can’t be made', async ({ signedIn: page, server }) => {
  const [{ id }] = await server.spawn('shell', '--', 'sleep', '1000')
  await page.goto(`${server.http}/agents/${id}/changes`)
  await expect(page.getByText(/is in no git repository/)).toBeVisible()
  await expect(server.cli('spawn', 'coder', '--cwd', server.dir)).rejects.toThrow(/no git worktree could be made: .* is in no git repository/)
})

test('a task is done where the form says', async ({ signedIn: page, server, transport }) => {
  const repo = repository(join(server.dir, 'project'), work)
  await page.goto(`${server.http}/tasks`)
  await live(page, transport)
  await page.getByRole('button', { name: 'New task' }).click()
  const form = page.getByRole('dialog', { name: 'New task' })
  await form.getByRole('radio', { name: /^worker/ }).check()
  await expect(form.getByLabel('Working folder')).toBeHidden()
  await form.locator('input[name="type"][value=""]').check()
  await form.getByRole('textbox', { name: 'Capabilities' }).fill('demo')
  await form.getByLabel('Working folder').fill(repo)
  await form.getByRole('button', { name: 'Submit' }).click()
  await expect(form.getByText('running agents have their folders')).toBeVisible()
  await form.getByRole('radio', { name: /^shell/ }).check()
  await form.getByRole('textbox', { name: 'Command' }).fill('git branch --show-current')
  await form.getByLabel('Name').fill('in a worktree')
  await form.getByLabel('Working folder').fill('project')
  await form.getByLabel('It is done in').selectOption('a git worktree of it')
  await form.getByRole('button', { name: 'Submit' }).click()
  await expect(form.getByText('"project" is not an absolute path')).toBeVisible()
  await form.getByLabel('Working folder').fill(repo)
  await form.getByRole('button', { name: 'Submit' }).click()
  await expect(form).toBeHidden()
  await page.getByRole('link', { name: 'in a worktree' }).first().click()
  await expect(page.locator('.facts.long')).toContainText(`Git worktree of${repo}`)
  await expect(page.getByRole('main')).toContainText('skein/')
})
