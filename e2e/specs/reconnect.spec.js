import { Link } from '../fixtures/network.js'
import { BROKEN, COMES_BACK, STOPPING, badge, expect, lines, live, lives, only, openAgent, row, signIn, state, test } from '../fixtures/test.js'

/** Prints numbered lines forever, about twenty a second. */
const COUNTER = ['--', 'sh', '-c', 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done']

/** @param {import('@playwright/test').Page} page */
const numbers = async (page) => (await lines(page).allTextContents()).flatMap((t) => /^line (\d+)$/.exec(t)?.[1] ?? []).map(Number)

/** @param {number} n */
const upTo = (n) => Array.from({ length: n }, (_, i) => i + 1)

/**
 * Marks the page, so that a test can tell if it was reloaded.
 * @param {import('@playwright/test').Page} page
 */
const keepMark = (page) => page.evaluate(() => void (globalThis.sameDocument = true))
/** @param {import('@playwright/test').Page} page */
const marked = (page) => page.evaluate(() => globalThis.sameDocument === true)

test('a reload keeps everything', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('shell', '--name', 'cat', '--', 'cat')
  await server.spawn('scripted', '--name', 'done', '--script', 'say bye')
  await openAgent(page, server, id, transport)
  const box = page.getByRole('textbox', { name: /standard input/ })
  const both = []
  for (const word of ['one', 'two']) {
    await box.fill(word)
    await box.press('Enter')
    both.push(word, word) // as input and as output, which may come later
    await expect(lines(page)).toHaveText(both)
  }
  await page.reload()
  await expect(lines(page), 'before any script').toHaveText(both)
  await live(page, transport)
  await box.fill('three')
  await box.press('Enter')
  await expect(lines(page)).toHaveText([...both, 'three', 'three'])
  await page.goto(server.http)
  await expect(row(page, 'cat')).toContainText('Running')
  await expect(row(page, 'done')).toContainText('Completed')
})

test('after a crash of the server the page is back, and the orphans are shown as such', async ({ signedIn: page, server, transport, noise }) => {
  noise.push(BROKEN)
  const [agent] = await server.spawn('shell', '--name', 'orphan', ...COUNTER)
  const [silent] = await server.spawn('shell', '--name', 'silent', '--', 'sleep', '300') // it prints nothing, so no broken pipe ends it
  const fleet = await page.context().newPage()
  await fleet.goto(server.http)
  await live(fleet, transport)
  await openAgent(page, server, agent.id, transport)
  for (const p of [page, fleet]) await keepMark(p)
  await expect.poll(async () => (await numbers(page)).length).toBeGreaterThan(20)

  await server.kill()
  const seen = await numbers(page)
  expect(lives(silent.process.pid), 'nobody stopped it yet').toBe(true)
  await server.start()
  for (const a of [agent, silent]) expect(lives(a.process.pid), 'the next start reaps it').toBe(false)

  for (const p of [page, fleet]) await live(p, transport, { timeout: COMES_BACK })
  for (const name of ['orphan', 'silent']) {
    await expect(row(fleet, name)).toContainText('Failed')
    await expect(row(fleet, name)).toContainText('rphaned')
  }
  await expect(state(page)).toHaveText(/Failed/)
  await expect(page.getByRole('region', { name: 'Needs you' })).toContainText('rphaned')
  for (const p of [page, fleet]) expect(await marked(p), 'without a reload').toBe(true)
  const logged = await server.output(agent.id) // the last output before the kill may not have reached the page
  const after = upTo((logged.match(/\n/g) ?? []).length)
  expect(logged, 'every line once, in order').toBe(after.map((n) => `line ${n}\n`).join(''))
  expect(after.length, 'nothing seen is lost').toBeGreaterThanOrEqual(seen.length)
  await expect.poll(() => numbers(page), 'the page has them all').toEqual(after)

  await page.reload()
  await expect(state(page)).toHaveText(/Failed/)
  expect(await numbers(page)).toEqual(after)
  expect(await server.agent('orphan')).toMatchObject({ status: 'exited', reason: 'failed' })
})

test('after a restart of the server the pages are live again', async ({ fleet: page, server, transport, noise }) => {
  noise.push(BROKEN, STOPPING)
  const [agent] = await server.spawn('shell', '--name', 'before', '--', 'sh', '-c', 'echo up; exec sleep 300')
  const own = await page.context().newPage()
  await openAgent(own, server, agent.id, transport)
  await expect(row(page, 'before')).toContainText('Running')
  for (const p of [page, own]) await keepMark(p)

  await server.stop()
  expect(lives(agent.process.pid), 'agents end with their server').toBe(false)
  for (const p of [page, own]) await expect(badge(p)).toHaveAccessibleName(/^(Reconnecting|Offline)/)
  await server.start()
  for (const p of [page, own]) await live(p, transport, { timeout: COMES_BACK })
  await expect(row(page, 'before')).toHaveCount(0)
  await only(page, 'Ended')
  await expect(row(page, 'before')).toContainText('Stopped')
  await expect(state(own)).toHaveText(/Stopped/)

  await server.spawn('scripted', '--name', 'after', '--script', 'say here again\nidle 1h')
  await only(page, 'Current')
  await expect(row(page, 'after')).toContainText('here again')
  for (const p of [page, own]) expect(await marked(p), 'without a reload').toBe(true)
})

test('a page that was opened before a restart can act after it', async ({ fleet: page, server, transport, noise }) => {
  noise.push(BROKEN)
  await server.kill()
  await server.start()
  await live(page, transport, { timeout: COMES_BACK })
  await page.getByRole('button', { name: /^Scripted demo/ }).click()
  await expect.poll(async () => (await server.agents()).length).toBe(1)
  await expect(page.getByText('1 agent, 1 alive')).toBeVisible()
})

test.describe('on a link that breaks', () => {
  // The page connects over a link that the test can cut, on TCP and, for WebTransport, on UDP.
  const it = test.extend({
    link: async ({}, use) => {
      const link = new Link()
      await link.open()
      await use(link)
      link.close()
    },
    args: async ({ link, transport }, use) => use(['--allow-origin', `http://localhost:${link.tcpPort}`, ...(transport === 'webtransport' ? ['--quic-port', String(link.udpPort)] : [])]),
    noise: async ({}, use) => use([BROKEN]),
  })

  it('every line is on screen once and in order', async ({ page, server, link, transport }) => {
    link.lead(server)
    const there = `http://localhost:${link.tcpPort}`
    await signIn(page, server)
    const [agent] = await server.spawn('shell', '--name', 'counter', ...COUNTER)
    await page.goto(`${there}/agents/${agent.id}`)
    await live(page, transport)
    await keepMark(page)
    await expect.poll(async () => (await numbers(page)).length).toBeGreaterThan(10)
    link.cut()
    await expect(badge(page), 'it is noticed').toHaveAccessibleName(/^Reconnecting/, { timeout: COMES_BACK })
    const gap = (await numbers(page)).length
    link.mend()
    await expect(badge(page)).toHaveAccessibleName(/^Web/, { timeout: COMES_BACK })
    await expect.poll(async () => (await numbers(page)).length).toBeGreaterThan(gap + 20)
    await server.cli('stop', 'counter')
    await expect(state(page)).toHaveText(/Stopped/)
    const all = await numbers(page)
    expect(all).toEqual(upTo(all.length))
    expect(await server.output(agent.id)).toBe(all.map((n) => `line ${n}\n`).join(''))
    expect(await marked(page), 'without a reload').toBe(true)
  })

  it('what was asked for while it was cut is done once', async ({ page, server, link, transport }) => {
    link.lead(server)
    const there = `http://localhost:${link.tcpPort}`
    await signIn(page, server)
    await page.goto(there)
    await live(page, transport)
    link.cut()
    await page.getByRole('button', { name: /^Scripted demo/ }).click()
    await expect(badge(page)).toHaveAccessibleName(/^Reconnecting/, { timeout: COMES_BACK })
    expect(await server.agents()).toEqual([])
    link.mend()
    await expect(badge(page)).toHaveAccessibleName(/^Web/, { timeout: COMES_BACK })
    await expect(page.getByText('1 agent, 1 alive')).toBeVisible()
    expect(await server.agents()).toHaveLength(1)
  })
})
