import { defineConfig } from '@playwright/test'
import { CHROMIUM } from './chromium.js'
import './memory.js'

// In project `websocket`, UDP goes into a black hole (fixtures/network.js) and the page must find out by itself. It runs
// the specs of the transport itself, the tests whose link breaks, and those tagged @both: one of each thing that goes over a session.
// Tests tagged @soak have many rows or attempts, wait for real time, repeat another in a variant, or are for axe alone, which in every run
// looks at each component in each state (accessibility.spec.js). With EVERY=1, for make soak, both projects run everything.
const pictures = process.env.SHOTS ? [] : ['shots.spec.js'] // for people: npm run shots
const onWebSocket = /\b(reconnect|return|transport)\.spec\.js|link that breaks|after a restart|@both/
const soak = /@soak/

export default defineConfig({
  testDir: 'specs',
  testIgnore: pictures,
  outputDir: 'test-results',
  grepInvert: process.env.EVERY ? undefined : soak,
  fullyParallel: true,
  workers: 5, // tests mostly wait
  retries: 1, // for a browser that crashed; any other failure fails again (fixtures/test.js)
  forbidOnly: Boolean(process.env.CI),
  timeout: 180_000, // even on a busy machine, only failing tests come near these
  expect: { timeout: 30_000 },
  reporter: 'list',
  use: {
    actionTimeout: 30_000,
    navigationTimeout: 30_000,
    viewport: { width: 1440, height: 900 },
    contextOptions: { reducedMotion: 'reduce' }, // what moves is drawn again and again: a tenth of the processor time
    launchOptions: CHROMIUM,
  },
  projects: [
    { name: 'webtransport', use: { transport: 'webtransport' } },
    { name: 'websocket', use: { transport: 'websocket' }, ...(!process.env.EVERY && { grep: onWebSocket }) },
  ],
})
