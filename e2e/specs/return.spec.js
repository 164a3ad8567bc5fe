import { Link } from '../fixtures/network.js'
import { BROKEN, badge, expect, lines, live, openAgent, signIn, state, test } from '../fixtures/test.js'

/**
 * Tests that a page moves to WebSocket and back, and misses nothing, when UDP is blocked before or in the middle of a
 * session and then works again.
 */
const it = test.extend({
  link: async ({}, use) => {
    const link = new Link()
    await link.open()
    await use(link)
    link.close()
  },
  noise: async ({}, use) => use([BROKEN]),
  args: async ({ link }, use) => use(['--quic-port', String(link.udpPort)]),
})

const COUNTER = ['--', 'sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done']

/** How long pages need to notice that their packets are dropped and to change the transport, in milliseconds. */
const NOTICES = 40_000

/** @param {import('@playwright/test').Page} page */
const numbers = async (page) => (await lines(page).allTextContents()).flatMap((t) => /^line (\d+)$/.exec(t)?.[1] ?? []).map(Number)

it('a page goes over to WebSocket when UDP is blocked, and back when it works again, without losing a line', async ({ page, server, link, transport }) => {
  it.skip(transport === 'websocket', 'UDP is what this is about')
  link.lead(server)
  link.block()
  const [agent] = await server.spawn('shell', '--name', 'counter', ...COUNTER)
  await signIn(page, server)
  await openAgent(page, server, agent.id, 'websocket')
  await expect.poll(async () => (await numbers(page)).length).toBeGreaterThan(10)

  link.block(false)
  await live(page, 'webtransport', { timeout: NOTICES })
  const back = (await numbers(page)).length
  await expect.poll(async () => (await numbers(page)).length).toBeGreaterThan(back + 20)

  link.block()
  await live(page, 'websocket', { timeout: NOTICES })
  const over = (await numbers(page)).length
  await expect.poll(async () => (await numbers(page)).length).toBeGreaterThan(over + 20)
  await server.cli('stop', 'counter')
  await expect(state(page)).toHaveText(/Stopped/)
  const all = await numbers(page)
  expect(all).toEqual(all.map((_, i) => i + 1))
  expect(await server.output(agent.id)).toBe(all.map((n) => `line ${n}\n`).join(''))
  await expect(badge(page)).toHaveAccessibleName(/^WebSocket/)
})
