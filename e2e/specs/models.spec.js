import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Model } from '../fixtures/model.js'
import { test as base, expect, openAgent, state, turns } from '../fixtures/test.js'

/** @typedef {{ model: Model }} WithModel */

const test = /** @type {typeof base & import('@playwright/test').TestType<WithModel, {}>} */ (
  base.extend({
    model: async ({}, use) => {
      const model = new Model()
      await model.start()
      await use(model)
      model.close()
    },
    config: async ({ model }, use) =>
      use(`agent_types:
  local:
    kind: openai
    model:
      url: ${model.url}
      name: small
      commands:
        write: {argv: [sh, -c, "echo it ran | tee out; pwd"]}
        look: {argv: [ls], kind: read}
    permissions: {rules: [{decision: allow, kind: read}], otherwise: ask}
  thrifty: {kind: openai, model: {url: ${model.url}, name: small}, budget: {day: {tokens: 20}}}
`),
  })
)

test('a model answers, asks for a permission, runs a command, and is interrupted', async ({ fleet: page, server, transport, model }) => {
  const [{ id, cwd }] = await server.spawn('local', '--name', 'helper')
  await openAgent(page, server, id, transport)
  /** @param {string} text */
  const prompt = async (text) => {
    const box = page.getByRole('textbox', { name: 'Give the agent a prompt' })
    await box.fill(text)
    await box.press('Enter')
  }
  await prompt('Hello <b>there</b>')
  await expect(turns(page).last()).toContainText('I was told: Hello <b>there</b>')
  expect(model.requests[0].model).toBe('small')
  await expect(page.getByText('20 in, 5 out')).toBeVisible()

  // What the rules allow runs at once; what they don't waits for a person.
  await prompt('run look')
  await expect(turns(page).filter({ hasText: 'Done: ' }).filter({ hasText: 'ls' }).first()).toBeVisible()
  await prompt('run write')
  const card = page.getByRole('article')
  await expect(card).toContainText('sh -c')
  await expect(readFile(join(cwd, 'out'))).rejects.toThrow()
  await card.getByRole('button', { name: 'Allow', exact: true }).click()
  await expect(turns(page).last()).toContainText(cwd)
  expect(await readFile(join(cwd, 'out'), 'utf8')).toBe('it ran\n')

  await prompt('busy')
  await expect(turns(page).last()).toContainText('I was told: busy')
  expect(await server.cli('usage')).toMatch(/\d{4}-\d\d-\d\d +local +[1-9]\d* +[1-9]\d* +[1-9]/)

  await prompt('count')
  await expect(turns(page).filter({ hasText: /\b3\b/ }).last()).toBeVisible()
  await page.getByRole('button', { name: 'Interrupt' }).click()
  await expect(turns(page).last()).toContainText('It was canceled')
  await expect.poll(() => model.abandoned).toBe(1)

  await server.cli('stop', id)
  await expect(state(page)).toContainText('Stopped')
})

test('the command line gives a model prompts and tasks', async ({ server, model }) => {
  expect(await server.cli('types')).toContain('openai')
  const result = await server.cli('task', 'submit', '--type', 'local', '--wait', '--input', 'Sum up')
  expect(result).toContain('I was told: Sum up')

  const waits = server.cli('task', 'submit', '--type', 'local', '--wait', '--input', 'run write')
  await expect.poll(async () => JSON.parse(await server.cli('inbox', '--json')).asks.length).toBe(1)
  const [ask] = JSON.parse(await server.cli('inbox', '--json')).asks
  await server.cli('inbox', 'answer', ask.id, 'reject')
  expect(await waits).toContain('has rejected it')
  expect(model.requests.every((r) => r.stream)).toBe(true)
})

test('what models have used is on a page of its own, and their budgets', async ({ fleet: page, server, transport }) => {
  await page.goto(`${server.http}/usage`)
  await expect(page.getByText('Nothing was spent')).toBeVisible()
  const [{ id }] = await server.spawn('thrifty', '--name', 'thrifty')
  await server.cli('send', 'thrifty', 'Hello')
  await expect.poll(async () => (await server.agents()).find((a) => a.id === id)?.paused?.by).toBe('budget')
  await page.reload()
  const row = page.getByRole('region', { name: 'Last 30 days' }).getByRole('row').filter({ hasText: 'thrifty' })
  await expect(row).toContainText('20')
  await expect(page.getByRole('region', { name: 'Budgets for today' })).toContainText('Spent: its agents are paused until midnight')
  await openAgent(page, server, id, transport)
  await expect(page.getByText(/the budget of type thrifty for the day is spent: 25 of 20 tokens/).first()).toBeVisible()
})
