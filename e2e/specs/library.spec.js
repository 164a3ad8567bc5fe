import { createHash } from 'node:crypto'
import { BROKEN, confirmStop, expect, signIn, test } from '../fixtures/test.js'

// Tests the client library in a browser, over both transports, while its connection breaks. static/test checks what each
// call does; these tests are about the browser's streams.

/** The size of the files in bytes, and how often their transfers are interrupted. */
const SIZE = 12 << 20
const BREAKS = 3

// The library still writes to a socket that was closed from this side, until it is told.
test.use({ noise: async ({}, use) => use([BROKEN, /^WebSocket is already in CLOSING or CLOSED state/]) })

test.beforeEach(async ({ page, server }) => {
  await signIn(page, server)
  await page.goto(`${server.http}/stories`) // a page without a connection of its own
  await page.evaluate(async () => {
    const { Skein } = await import('/static/skein.js')
    const carriers = []
    /** Records the connections that a client opens, so that a test can break them. */
    const breakable = (Carrier) =>
      class extends Carrier {
        constructor(...args) {
          super(...args)
          carriers.push(this)
        }
      }
    const fetch = async (...request) => {
      const response = await globalThis.fetch(...request)
      const doc = await response.json()
      Object.assign(doc.policy, { backoff_min_ms: 1, backoff_max_ms: 50 })
      return Response.json(doc)
    }
    const skein = new Skein({ fetch, WebTransport: breakable(WebTransport), WebSocket: breakable(WebSocket) })
    await skein.ready
    /** Breaks the connection; fulfils when there is another one. */
    const drop = async () => {
      const { session } = skein.connection
      for (const carrier of carriers.splice(0)) carrier.close()
      while (!skein.connection.session || skein.connection.session === session) {
        await new Promise((resolve) => skein.addEventListener('connectionchange', resolve, { once: true }))
      }
    }
    Object.assign(globalThis, { skein, drop })
  })
})

test('a file goes up and comes down whole', async ({ page, server, transport }) => {
  const { artifact, breaks, sum, again } = await page.evaluate(
    async ({ SIZE, BREAKS }) => {
      const bytes = new Uint8Array(SIZE)
      for (let at = 0; at < SIZE; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
      const digest = async (b) => Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', b)), (x) => x.toString(16).padStart(2, '0')).join('')
      let breaks = 0
      const dropping = []
      const breakAt = (times) => ({ loaded }) => {
        if (breaks < times && loaded > (((breaks % BREAKS) + 1) * SIZE) / (BREAKS + 1)) {
          breaks++
          dropping.push(drop())
        }
      }
      const artifact = await skein.artifacts.upload(new File([bytes], 'whole.bin'), { onprogress: breakAt(BREAKS) })
      await Promise.all(dropping)
      const got = await new Response(skein.artifacts.download(artifact.id, { onprogress: breakAt(2 * BREAKS) })).arrayBuffer()
      await Promise.all(dropping)
      return { artifact, breaks, sum: await digest(bytes), again: await digest(got) }
    },
    { SIZE, BREAKS },
  )
  expect(breaks).toBe(2 * BREAKS)
  expect(artifact).toMatchObject({ name: 'whole.bin', size: SIZE, state: 'complete', sha256: sum })
  expect(again).toBe(sum)
  expect(await page.evaluate(() => skein.connection.transport)).toBe(transport)
  const response = await page.request.get(`${server.http}/artifacts/${artifact.id}/content`)
  expect(createHash('sha256').update(await response.body()).digest('hex'), 'what the server gives others').toBe(sum)
})

test('tasks are done once, and watched to their end', async ({ page, server, transport }) => {
  const { states, resets, results, result } = await page.evaluate(async () => {
    const { payloadText } = await import('/static/skein.js')
    const states = {}
    let resets = 0
    await skein.tasks.submit({ type: 'shell', argv: ['true'] }) // so that there is a position to continue from
    const stop = new AbortController()
    const watching = (async () => {
      for await (const { tasks = [], reset } of skein.tasks.watch({ filter: { labels: { of: 'browser' } }, signal: stop.signal })) {
        if (reset) resets++
        for (const { id, state } of tasks) states[id] = state
        if (Object.values(states).filter((state) => state === 'completed').length === 6) stop.abort()
      }
    })().catch(() => {}) // it ends with the abort, maybe before the last submission is answered
    for (let i = 0; i < 6; i++) {
      const submitted = skein.tasks.submit({ type: 'shell', argv: ['echo', `${i}`], labels: { of: 'browser' } })
      if (i % 2) await drop()
      await submitted
    }
    await watching
    const whole = await skein.tasks.orchestrate({ task: { type: 'shell', argv: ['sh', '-c', 'read n; sleep 0.$n; echo $n'] }, inputs: ['3\n', '1\n', '2\n', '4\n'] })
    const all = skein.tasks.results(whole.id)
    const results = []
    for await (const { ordinal, output } of all) {
      results.push([ordinal, payloadText(output)])
      if (ordinal === 2) await drop()
    }
    return { states, resets, results, result: payloadText((await all.aggregate()).result) }
  })
  expect(Object.values(states)).toEqual(Array(6).fill('completed'))
  expect(resets).toBe(1)
  expect(results.map(([ordinal]) => ordinal)).toEqual([1, 2, 3, 4])
  expect(JSON.parse(result).map((r) => r.output.text)).toEqual(['3\n', '1\n', '2\n', '4\n'])
  expect(await page.evaluate(() => skein.connection.transport)).toBe(transport)
  expect((await server.agents()).filter((a) => a.for_task).length, 'processes that were started').toBe(11)
})

test('memory is watched: every change, in order, none twice', async ({ page }) => {
  const { revisions, values, stored } = await page.evaluate(async () => {
    const { payloadText } = await import('/static/skein.js')
    const { memory } = skein
    const stop = new AbortController()
    const revisions = []
    const values = []
    const watching = (async () => {
      for await (const { entries } of memory.watch({ namespace: 'browser', prefix: 'n/', values: true, signal: stop.signal })) {
        for (const { revision, value, deleted } of entries) {
          revisions.push(revision)
          values.push(deleted ? 'gone' : payloadText(value))
        }
        if (values.at(-1) === 'gone') stop.abort()
      }
    })().catch(() => {}) // it ends with the abort, maybe before the delete is answered
    const stored = []
    for (let i = 0; i < 12; i++) {
      const storing = memory.store({ namespace: 'browser', key: `n/${i % 3}`, value: `value ${i}` })
      if (i % 4 === 3) await drop()
      stored.push((await storing).revision)
    }
    await memory.delete({ namespace: 'browser', key: 'n/0' })
    await watching
    return { revisions, values, stored }
  })
  expect(revisions).toEqual([...revisions].sort((a, b) => a - b))
  expect(new Set(revisions).size).toBe(revisions.length)
  expect(new Set(stored).size, 'each was stored once').toBe(12)
  expect(values.at(-1)).toBe('gone')
  expect(values.slice(-4, -1), 'the last values').toEqual(['value 9', 'value 10', 'value 11'])
})

test('a tab is an agent: it does tasks over lost connections, asks, and is stopped', async ({ page, server, transport, context }) => {
  const agent = await page.evaluate(async () => {
    globalThis.times = {}
    globalThis.worker = await skein.serve({ name: 'tab', concurrency: 4 }, async (task) => {
      times[task.input] = (times[task.input] ?? 0) + 1
      if (task.input === 'ask') return (await task.ask('Which <b>colour</b>?')).text
      if (task.input === 'hang') return new Promise((_, reject) => task.signal.addEventListener('abort', () => reject(task.signal.reason)))
      task.print(`doing ${task.input}\n`)
      if (task.input === '4') void drop()
      await new Promise((resolve) => setTimeout(resolve, 5))
      return `did ${task.input}`
    })
    return worker.agent
  })
  expect(await page.evaluate(() => skein.connection.transport)).toBe(transport)
  const boss = await context.newPage()
  await boss.goto(`${server.http}/stories`)
  const done = await boss.evaluate(async (agent) => {
    const { Skein, isTerminal, payloadText } = await import('/static/skein.js')
    globalThis.skein = new Skein()
    const tasks = await Promise.all(Array.from({ length: 12 }, (_, i) => skein.tasks.submit({ agent, input: String(i) })))
    const ids = tasks.map((task) => task.id)
    const open = new Set(ids)
    for await (const { tasks } of skein.tasks.watch({ filter: { ids } })) {
      for (const task of tasks ?? []) if (isTerminal(task.state)) open.delete(task.id)
      if (open.size === 0) break
    }
    return Promise.all(ids.map(async (id) => skein.tasks.get(id).then(({ state, attempt, result }) => [state, attempt, payloadText(result)])))
  }, agent)
  expect(done).toEqual(Array.from({ length: 12 }, (_, i) => ['completed', 1, `did ${i}`]))
  expect(Object.values(await page.evaluate(() => times)), 'how often each was done').toEqual(Array(12).fill(1))

  // Its page shows what it printed, and the question, which is answered there.
  const asking = await boss.evaluate(async (agent) => (await skein.tasks.submit({ agent, input: 'ask' })).id, agent)
  await boss.goto(`${server.http}/agents/${agent}`)
  await expect(boss.getByText('doing 11')).toBeVisible()
  const card = boss.getByRole('article')
  await expect(card).toContainText('Which <b>colour</b>?')
  await card.getByRole('textbox').fill('green')
  await card.getByRole('textbox').press('Enter')
  await expect.poll(async () => JSON.parse(await server.cli('task', 'get', asking, '--json')).result?.text).toBe('green')

  // A stop reaches it, and it says that it is gone.
  await server.cli('task', 'submit', '--agent', agent, '--input', 'hang')
  await expect.poll(() => page.evaluate(() => times.hang)).toBe(1)
  await boss.locator('#stop-open').click()
  await confirmStop(boss)
  expect(await page.evaluate(() => worker.ended)).toBe('stopped')
  await expect(boss.getByText('Stopped', { exact: true }).first()).toBeVisible()
})
