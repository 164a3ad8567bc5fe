// The types of coding agents that Skein finds on the PATH, in a network of loopback alone: for one task, and those that ask.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { deeds, DONE, UNABLE } from './deeds.js'

const alone = Object.keys(networkInterfaces()).every((name) => name === 'lo')
const skip = alone ? false : 'these agents run only where there is no network but loopback: as root, in unshare --net'

/** @type {import('../fixtures/server.js').Server} */
let server
/** @type {Awaited<ReturnType<typeof deeds>>} */
let fake
let home = ''
let outside = '' // a folder that no agent works in, and that is none for temporary files: some may write there

before(async () => {
  if (skip) return
  fake = await deeds()
  home = mkdtempSync(join(tmpdir(), 'skein-oneshot-'))
  outside = mkdtempSync(join(import.meta.dirname, 'node_modules/.outside-'))
  const write = (/** @type {string} */ dir, /** @type {string} */ name, /** @type {string} */ content) => {
    mkdirSync(join(home, dir), { recursive: true })
    writeFileSync(join(home, dir, name), content)
  }
  write('.config/opencode', 'opencode.json', JSON.stringify({
    autoupdate: false, share: 'disabled', model: 'fake/fake',
    provider: { fake: { npm: '@ai-sdk/openai-compatible', name: 'Fake', options: { baseURL: `${fake.url}/v1`, apiKey: 'none' }, models: { fake: { name: 'Fake' } } } },
  }))
  write('.codex', 'config.toml', `model = "fake"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "fake"\nbase_url = "${fake.url}/v1"\nwire_api = "responses"\n`)
  write('.gemini', 'settings.json', JSON.stringify({ security: { auth: { selectedType: 'gemini-api-key' } } }))
  // The server and its agents have the environment of this process, as the server's file finds it.
  Object.assign(process.env, {
    PATH: join(import.meta.dirname, 'node_modules/.bin') + delimiter + process.env.PATH, HOME: home,
    OPENAI_API_KEY: 'none', OPENAI_BASE_URL: `${fake.url}/v1`, OPENAI_MODEL: 'fake',
    ANTHROPIC_API_KEY: 'none', ANTHROPIC_BASE_URL: fake.url, GEMINI_API_KEY: 'none', GOOGLE_GEMINI_BASE_URL: fake.url,
    COPILOT_OFFLINE: 'true', COPILOT_MODEL: 'fake', COPILOT_PROVIDER_TYPE: 'openai', COPILOT_PROVIDER_BASE_URL: `${fake.url}/v1`, COPILOT_PROVIDER_API_KEY: 'none',
  })
  const { Server } = await import('../fixtures/server.js')
  server = new Server({ args: ['--find-agents'] })
  await server.start()
})

after(async () => {
  await server?.close()
  fake?.close()
  for (const dir of [home, outside].filter(Boolean)) rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
})

const task = async (/** @type {string} */ id) => JSON.parse(await server.cli('task', 'get', id, '--json'))

/** Submits a task and waits until it is as it should be. @param {string} type @param {string} input @param {(t: any) => unknown} is */
async function submitted(type, input, is) {
  const { tasks: [{ id }] } = JSON.parse(await server.cli('task', 'submit', '--json', '--retries', '0', '--type', type, '--input', input))
  return { id, task: await until(id, is) }
}

/** @param {string} id @param {(t: any) => unknown} is */
async function until(id, is) {
  for (const end = Date.now() + 180_000; ; await sleep(200)) {
    const t = await task(id)
    if (is(t)) return t
    assert.ok(Date.now() < end, `not within three minutes: ${JSON.stringify(t)}`)
  }
}

const over = (/** @type {any} */ t) => ['completed', 'failed', 'canceled', 'rejected'].includes(t.state)

/** The agent that had a task, when it has ended. @param {any} t */
async function agentOf(t) {
  for (const end = Date.now() + 60_000; ; await sleep(200)) {
    const agent = (await server.agents()).find((/** @type {any} */ a) => a.id === t.runs.at(-1).agent)
    if (agent?.exit) return agent
    assert.ok(Date.now() < end, `it has not ended within a minute: ${JSON.stringify(agent)}`)
  }
}

// What becomes of a command, and of a file outside the folder: what a tool made, or what is said instead.
const agents = [
  { type: 'claude-task', ran: false, says: DONE },
  { type: 'codex-task', shell: true, ran: true, says: DONE },
  { type: 'copilot-task', ran: false, says: DONE },
  { type: 'gemini-task', ran: false, says: UNABLE },
  { type: 'opencode-task', ran: true, says: DONE, refused: '' },
  { type: 'qwen-task', ran: false, says: UNABLE, beyond: true, absolute: true },
]

for (const { type, shell, ran, says, beyond = false, refused = DONE, absolute } of agents) {
  const write = (/** @type {string} */ file) => (shell ? `RUN: echo written > ${file}` : `WRITE: ${file}`)

  // It takes absolute paths only, and the folder of a task is not known before.
  if (!absolute) test(`${type} changes files in its folder, and its answer is the result`, { skip }, async () => {
    const { task: t } = await submitted(type, `Do this.\n${write('made.txt')}`, over)
    assert.equal(t.state, 'completed', JSON.stringify(t))
    assert.equal(t.result.text.trim(), DONE)
    const agent = await agentOf(t)
    assert.equal(readFileSync(join(agent.cwd, 'made.txt'), 'utf8').trim(), 'written')
    assert.equal(agent.exit.leftovers, undefined)
  })

  test(`${type} does no more than its description says`, { skip }, async () => {
    const { task: t } = await submitted(type, 'Do this.\nRUN: python3 -c "import os; os.mkdir(\'ran\')"', over)
    assert.equal(t.state, 'completed', JSON.stringify(t))
    assert.equal(t.result.text.trim(), says)
    assert.equal(existsSync(join((await agentOf(t)).cwd, 'ran')), ran)
    const file = join(outside, `${type}.txt`)
    const { task: further } = await submitted(type, `Do this.\n${write(file)}`, over)
    assert.equal(further.state, 'completed', JSON.stringify(further))
    assert.equal((further.result?.text ?? '').trim(), beyond ? DONE : refused)
    assert.equal(existsSync(file), beyond)
  })

  test(`${type} fails with its model`, { skip }, async () => {
    const { task: t } = await submitted(type, 'MODEL FAILS', over)
    assert.equal(t.state, 'failed', JSON.stringify(t))
    assert.equal((await agentOf(t)).exit.code, 1)
  })

  test(`${type} is stopped while its model thinks, and leaves no process`, { skip }, async () => {
    const before = fake.hung()
    const { id } = await submitted(type, 'MODEL HANGS', () => fake.hung() > before)
    await server.cli('task', 'cancel', id)
    const t = await until(id, over)
    assert.equal(t.state, 'canceled', JSON.stringify(t))
    assert.equal((await agentOf(t)).exit.leftovers, undefined)
  })
}

for (const type of ['gemini', 'opencode', 'qwen']) {
  test(`${type} asks before it writes a file`, { skip }, async () => {
    const cwd = join(outside, type)
    mkdirSync(cwd)
    const [{ id }] = await server.spawn(type, '--cwd', cwd)
    await server.cli('send', id, `Do this.\nWRITE: ${join(cwd, 'made.txt')}`)
    for (const end = Date.now() + 120_000; ; await sleep(200)) {
      const ask = JSON.parse(await server.cli('inbox', '--json')).asks.find((/** @type {any} */ a) => a.agent === id)
      if (ask) {
        assert.equal(ask.tool?.kind, 'edit', JSON.stringify(ask))
        break
      }
      assert.ok(Date.now() < end, 'it has not asked within two minutes')
    }
    assert.equal(existsSync(join(cwd, 'made.txt')), false)
    const { reports } = JSON.parse(await server.cli('stop', id, '--json'))
    assert.equal(reports[0].leftovers, undefined)
  })
}
