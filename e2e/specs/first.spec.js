import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { sticksOut } from '../fixtures/layout.js'
import { badge, expect, test, turns } from '../fixtures/test.js'

// The first minute of somebody whose fleet is empty.

const machine = mkdtempSync(join(tmpdir(), 'skein-machine-'))
process.on('exit', () => rmSync(machine, { recursive: true, force: true })) // each process that reads this file makes one
for (const folder of ['bin', 'package', 'project']) mkdirSync(join(machine, folder))
writeFileSync(join(machine, 'package/package.json'), JSON.stringify({ name: 'a-package', version: '9.8.7', bin: { gemini: 'gemini' } }))
writeFileSync(join(machine, 'package/gemini'), `#!/bin/sh\nexec node ${JSON.stringify(new URL('../fixtures/acp-agent.js', import.meta.url).pathname)} "$@"\n`)
chmodSync(join(machine, 'package/gemini'), 0o755)
symlinkSync('../package/gemini', join(machine, 'bin/gemini'))

test.describe('on a machine with a coding agent', () => {
  test.use({ args: ['--find-agents'], env: { PATH: `${join(machine, 'bin')}:${dirname(process.execPath)}:/usr/bin:/bin` } })

  test('a click starts it where it is to work, and it takes its first prompt', async ({ fleet: page, server }) => {
    const empty = page.getByRole('region', { name: 'No agents yet' })
    const gemini = empty.getByRole('button', { name: /^gemini/ })
    await expect(gemini).toContainText('Version 9.8.7')
    await expect(gemini).toContainText(join(machine, 'bin/gemini'))
    await expect(empty.getByRole('button', { name: /^gemini-task/ })).toHaveCount(0)
    await check(page, 'an empty fleet')
    for (const width of [1024, 400]) {
      await page.setViewportSize({ width, height: 850 })
      expect(await sticksOut(page)).toEqual({ page: 0, elements: [] })
    }
    const folder = empty.getByRole('textbox', { name: 'Working folder' })
    await expect(folder).toHaveValue(server.dir) // where the server was started
    await folder.fill('project')
    await gemini.click()
    await expect(folder).toHaveAttribute('aria-invalid', 'true')
    await expect(folder).toBeFocused()
    await expect(empty.getByRole('alert')).toContainText('absolute')
    expect(await server.agents()).toEqual([])
    await folder.fill(join(machine, 'project'))
    await gemini.click()
    await expect(page).toHaveURL(/\/agents\//)
    const [agent] = await server.agents()
    expect(agent).toMatchObject({ type: 'gemini', cwd: join(machine, 'project') })
    const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
    await box.fill('hello')
    await box.press('Enter')
    await expect(turns(page).filter({ hasText: 'hello' }).first()).toBeVisible()
  })
})

test.describe('on a machine without any', () => {
  test.use({ args: ['--find-agents'], env: { PATH: join(machine, 'project') } })

  test('the page says which ones there are and how to get them, and has demos', async ({ fleet: page }) => {
    const empty = page.getByRole('region', { name: 'No agents yet' })
    await expect(empty).toContainText('No coding agent is on the server’s PATH')
    await expect(empty.getByRole('listitem').filter({ hasText: 'opencode' })).toContainText('npm install -g opencode-ai')
    await check(page, 'an empty fleet')
    await page.setViewportSize({ width: 400, height: 850 })
    expect(await sticksOut(page)).toEqual({ page: 0, elements: [] })
    await empty.getByRole('button', { name: /^Scripted demo/ }).click()
    await expect(page.getByRole('link', { name: 'demo', exact: true })).toBeVisible()
    await expect(empty).toBeHidden()
    await expect(badge(page)).toBeVisible()
  })
})
