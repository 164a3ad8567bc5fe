import { defineConfig } from '@playwright/test'
import { CHROMIUM } from './chromium.js'

// In `websocket` UDP leads into a black hole (fixtures/network.js): the page is not told, it has to find its way. There run
// the specs of what depends on the carrier, and of the others the tests whose link breaks. What is tagged @soak has thousands
// of rows, hundreds of attempts, or waits for real time. With EVERY=1, for make soak, everything runs in both.
const pictures = process.env.SHOTS ? [] : ['shots.spec.js'] // for people: npm run shots
const carried = ['live', 'network', 'reconnect', 'return', 'stop', 'transport'].map((name) => `\\b${name}\\.spec\\.js`).join('|')
const onWebSocket = new RegExp(`${carried}|link that breaks|after a restart`)
const soak = /@soak/

export default defineConfig({
  testDir: 'specs',
  testIgnore: pictures,
  outputDir: 'test-results',
  grepInvert: process.env.EVERY ? undefined : soak,
  fullyParallel: true,
  workers: 4, // most of the time they wait
  retries: process.env.CI ? 1 : 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: 180_000, // only a failing test comes near these, however busy the machine
  expect: { timeout: 30_000 },
  reporter: 'list',
  use: {
    trace: 'on-first-retry',
    actionTimeout: 30_000,
    navigationTimeout: 30_000,
    viewport: { width: 1440, height: 900 },
    launchOptions: CHROMIUM,
  },
  projects: [
    { name: 'webtransport', use: { transport: 'webtransport' } },
    { name: 'websocket', use: { transport: 'websocket' }, ...(!process.env.EVERY && { grep: onWebSocket }) },
  ],
})
