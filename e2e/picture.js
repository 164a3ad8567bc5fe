// Takes the picture that README begins with, docs/fleet.png: make build, then npm run picture. It shows a fleet at work: agents that
// speak ACP, scripts and processes, of which two ask and one has failed.
import { join } from 'node:path'
import { chromium } from '@playwright/test'
import { CHROMIUM } from './chromium.js'
import { Server } from './fixtures/server.js'

const agent = join(import.meta.dirname, 'fixtures/acp-agent.js')
const config = `agent_types:
  coder:
    kind: acp
    argv: [node, ${JSON.stringify(agent)}]
    tasks: prompt
    permissions: {otherwise: ask}
    env: {TITLE: Run go test ./parser}
`

/** How long the fleet may take to look as it is to, in milliseconds. */
const PATIENCE = 30_000

/** @param {Server} server */
async function fleet(server) {
  const script = (/** @type {string} */ name, /** @type {string[]} */ ...lines) => server.spawn('scripted', '--name', name, '--script', lines.join('\n'))
  await server.spawn('coder', '--name', 'fix-parser', '--folder', 'fresh')
  await script('docs-writer', 'say Checking links: 38 of 61', 'idle 1h')
  await script('bench', 'say echo p99 200 µs')
  await server.spawn('shell', '--name', 'watch-ci', '--', 'sh', '-c', 'echo "build 5: 61 of 61 checks green"; exec sleep 600')
  await script('migrate-db', 'warn column "lease" exists already', 'exit 3')
  await script('reviewer', 'say Read the diff of 12 files', 'ask Merge feat/retries into main?')
  await server.spawn('coder', '--name', 'upgrade-deps', '--folder', 'fresh')
  await server.cli('send', 'fix-parser', 'run go test ./parser -run TestNestedLists')
}

/** @param {Server} server */
async function settled(server) {
  for (const ends = Date.now() + PATIENCE; Date.now() < ends; ) {
    const agents = await server.agents()
    if (agents.filter((a) => a.activity === 'requires_action').length === 2 && agents.filter((a) => a.status === 'exited').length === 2) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`the fleet does not look as it is to:\n${await server.cli('ps', '-a')}`)
}

const server = new Server({ config, args: ['--node', 'workstation'] })
await server.start()
const browser = await chromium.launch(CHROMIUM)
try {
  await fleet(server)
  await settled(server)
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, colorScheme: 'light', reducedMotion: 'reduce' })
  await page.goto(server.login)
  const enter = page.getByRole('button', { name: /sign in/i })
  if (await enter.isVisible()) await enter.click()
  await page.locator('.conn[data-state="open"]').waitFor()
  await page.locator('.agent').filter({ hasText: 'checks green' }).waitFor()
  const end = await page.locator('#list').evaluate((el) => Math.ceil(el.getBoundingClientRect().bottom))
  await page.screenshot({ path: join(import.meta.dirname, '../docs/fleet.png'), clip: { x: 0, y: 0, width: 1280, height: Math.min(end + 12, 720) } })
} finally {
  await browser.close()
  await server.close()
}
