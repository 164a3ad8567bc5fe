// Coding agents as people install them, under Skein, in a network of loopback alone: make soak gives them one.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { Server } from '../fixtures/server.js'
import { KEEP, model, RUN, SAYS } from './model.js'

const alone = Object.keys(networkInterfaces()).every((name) => name === 'lo')
const skip = alone ? false : 'these agents run only where there is no network but loopback: as root, in unshare --net'
if (skip) console.error(`SKIPPED: ${skip}`)

const bin = join(import.meta.dirname, 'node_modules/.bin')

/** @type {Server} */
let server
/** @type {Awaited<ReturnType<typeof model>>} */
let fake
let home = ''

before(async () => {
  if (skip) return
  fake = await model()
  home = mkdtempSync(join(tmpdir(), 'skein-agents-'))
  mkdirSync(join(home, '.config/opencode'), { recursive: true })
  writeFileSync(join(home, '.config/opencode/opencode.json'), JSON.stringify({
    autoupdate: false, share: 'disabled', model: 'fake/fake', permission: { bash: 'ask', edit: 'ask' },
    provider: { fake: { npm: '@ai-sdk/openai-compatible', name: 'Fake', options: { baseURL: fake.url, apiKey: 'none' }, models: { fake: { name: 'Fake' }, second: { name: 'Second' } } } },
  }))
  const env = { HOME: home, OPENAI_API_KEY: 'none', OPENAI_BASE_URL: fake.url, OPENAI_MODEL: 'fake' }
  const type = (/** @type {string[]} */ argv, /** @type {object} */ vars) => ({ kind: 'acp', argv: [join(bin, argv[0] ?? ''), ...argv.slice(1)], env: vars, tasks: 'prompt', permissions: { otherwise: 'ask' } })
  // JSON is YAML.
  const config = { agent_types: { opencode: type(['opencode', 'acp'], env), qwen: type(['qwen', '--acp'], env), gemini: type(['gemini', '--acp'], { HOME: home }), codex: type(['codex-acp'], { HOME: home }) } }
  server = new Server({ config: JSON.stringify(config) })
  await server.start()
})

after(async () => {
  await server?.close()
  fake?.close()
  if (home) rmSync(home, { recursive: true, force: true })
})

/** Waits for what f gives. @template T @param {string} what @param {() => Promise<T | undefined | false>} f @returns {Promise<T>} */
async function eventually(what, f) {
  for (const end = Date.now() + 120_000; ; await sleep(200)) {
    const value = await f()
    if (value) return value
    assert.ok(Date.now() < end, `not within two minutes: ${what}`)
  }
}

const record = async (/** @type {string} */ id) => (await server.agents()).find((/** @type {any} */ a) => a.id === id)
const idle = (/** @type {string} */ id) => eventually('it is idle', async () => (await record(id))?.activity === 'idle')
const asked = (/** @type {string} */ id) =>
  eventually('it asks', async () => JSON.parse(await server.cli('inbox', '--json')).asks.find((/** @type {any} */ a) => a.agent === id))

for (const type of ['opencode', 'qwen']) {
  test(`${type} asks before it runs a command, and does what it is allowed`, { skip }, async () => {
    const cwd = join(server.dir, type)
    mkdirSync(cwd)
    const [{ id }] = await server.spawn(type, '--cwd', cwd)
    await idle(id)
    for (const [option, file] of [['allow', 'allowed'], ['reject', 'rejected']]) {
      await server.cli('send', id, `${RUN} touch ${file}`)
      const ask = await asked(id)
      assert.equal(ask.kind, 'permission')
      assert.equal(ask.tool.kind, 'execute')
      assert.match(ask.tool.command ?? '', new RegExp(`touch ${file}`))
      assert.equal(existsSync(join(cwd, file ?? '')), false)
      await server.cli('inbox', 'answer', ask.id, option ?? '')
      await idle(id)
    }
    assert.equal(existsSync(join(cwd, 'allowed')), true)
    assert.equal(existsSync(join(cwd, 'rejected')), false)
    assert.match(await server.cli('logs', id), new RegExp(SAYS))

    // A turn that waits is canceled, and the next one runs.
    await server.cli('send', id, `${RUN} touch canceled`)
    const ask = await asked(id)
    await server.cli('send', id, '--interrupt')
    await eventually('the question is gone', async () => JSON.parse(await server.cli('inbox', 'show', ask.id, '--json')).state === 'canceled')
    await idle(id)
    assert.equal(existsSync(join(cwd, 'canceled')), false)

    // It was told of Skein's own MCP server, and uses the memory there.
    await server.cli('send', id, `${KEEP} by ${type}`)
    const kept = await eventually('it is kept, or it asks', async () => {
      const waits = JSON.parse(await server.cli('inbox', '--json')).asks.find((/** @type {any} */ a) => a.agent === id)
      if (waits) await server.cli('inbox', 'answer', waits.id, waits.options.find((/** @type {any} */ o) => o.kind === 'allow_once').id)
      return server.cli('memory', 'get', 'shared', 'kept', '--json').then((text) => text.includes(`by ${type}`) && JSON.parse(text), () => undefined)
    })
    assert.equal(kept.writer, id)
    await idle(id)
    const { spent } = await record(id)
    assert.ok(spent.input > 0 && spent.output > 0, JSON.stringify(spent))

    assert.match(await server.cli('task', 'submit', '--agent', id, '--wait', '--input', 'What is left?'), new RegExp(SAYS))
    const { reports } = JSON.parse(await server.cli('stop', id, '--json'))
    assert.equal(reports[0].leftovers, undefined)
  })
}

// What each of them lets people choose, and how it goes on with a conversation, is its own: by resume or by load, and with configOptions alone,
// or modes and models, too.
for (const [type, option, value] of [['opencode', 'model', 'fake/second'], ['opencode', 'mode', 'plan'], ['qwen', 'mode', 'plan']]) {
  test(`${type}: ${option} is ${value}, and its conversation goes on`, { skip }, async () => {
    const cwd = join(server.dir, `${type}-${option}`)
    mkdirSync(cwd)
    const [{ id }] = await server.spawn(type ?? '', '--cwd', cwd)
    await idle(id)
    const offers = JSON.parse(await server.cli('options', id, option ?? '', value ?? '', '--json'))
    assert.equal(offers.options.find((/** @type {any} */ o) => o.id === option).value, value)
    assert.ok(offers.options.length >= 2, JSON.stringify(offers.options))
    await eventually('its commands', async () => JSON.parse(await server.cli('options', id, '--json')).commands.length > 0)
    await assert.rejects(server.cli('options', id, option ?? '', 'nonsense'), /has no value "nonsense"/)

    await server.cli('send', id, 'What is left?')
    await eventually('it has answered', async () => (await server.cli('logs', id)).includes(SAYS))
    await idle(id)
    const { session } = await record(id)
    const { sessions } = JSON.parse(await server.cli('sessions', id, '--json'))
    assert.ok(sessions.some((/** @type {any} */ s) => s.id === session && s.current && s.cwd === cwd), JSON.stringify(sessions))

    await server.cli('stop', id)
    const [next] = JSON.parse(await server.cli('spawn', '--continue', id, '--json')).agents
    await idle(next.id)
    assert.equal((await record(next.id)).session, session)
    await server.cli('send', next.id, 'And now?')
    await eventually('it has answered', async () => (await server.cli('logs', next.id)).split(SAYS).length > (type === 'qwen' ? 2 : 1)) // what qwen has said before is shown again
    await idle(next.id)
    await server.cli('stop', next.id)
  })
}

test('opencode has no session of a name that nobody gave', { skip }, async () => {
  const [{ id }] = await server.spawn('opencode', '--session', 'ses_nobody')
  const ended = await eventually('it has ended', async () => {
    const a = await record(id)
    return a?.status === 'exited' && a
  })
  assert.match(ended.exit.message, /it has no session ses_nobody that it could continue/)
})

for (const type of ['gemini', 'codex']) {
  test(`${type} without a login asks for one`, { skip }, async () => {
    const [{ id }] = await server.spawn(type)
    const ask = await asked(id)
    assert.match(ask.text, /^It wants a login: /)
    assert.ok(ask.options.length > 2)
    await server.cli('inbox', 'answer', ask.id, 'again')
    const second = await eventually('it asks again', async () => {
      const next = await asked(id)
      return next.id !== ask.id && next
    })
    await server.cli('inbox', 'answer', second.id, 'end')
    const ended = await eventually('it has ended', async () => {
      const a = await record(id)
      return a?.status === 'exited' && a
    })
    assert.match(ended.exit.message, /it wants a login/)
    assert.equal(ended.exit.leftovers, undefined)
  })
}
