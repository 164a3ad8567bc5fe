import { defineConfig } from '@playwright/test'
import { CHROMIUM } from './chromium.js'

// In `websocket` UDP leads into a black hole (fixtures/network.js): the page is not told, it has to find its way. Every spec
// runs in both, but for what is about the page alone, whatever carries: what axe finds, thousands of rows, a proxy in between,
// narrow screens, the keyboard, pages without script, and forms and lists, of which those run in both that carry on, resume or
// come from elsewhere. With EVERY=1 all do.
const pictures = process.env.SHOTS ? [] : ['shots.spec.js'] // for people: npm run shots
const pages = ['accessibility', 'health', 'proxy', 'responsive', 'scale', 'search', 'spawn'].map((name) => `${name}.spec.js`)
const pageTests = /axe finds|narrow screen|400 pixels|without script|whose script never ran|by the keyboard|(memory|tasks)\.spec\.js (?!.*(link that breaks|restart|results come in|cancel reaches|two pages))/

export default defineConfig({
  testDir: 'specs',
  testIgnore: pictures,
  outputDir: 'test-results',
  fullyParallel: true,
  workers: 2,
  retries: process.env.CI ? 1 : 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: 45_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  use: {
    trace: 'on-first-retry',
    actionTimeout: 10_000,
    navigationTimeout: 15_000,
    viewport: { width: 1440, height: 900 },
    launchOptions: CHROMIUM,
  },
  projects: [
    { name: 'webtransport', use: { transport: 'webtransport' } },
    { name: 'websocket', use: { transport: 'websocket' }, ...(!process.env.EVERY && { testIgnore: [...pictures, ...pages], grepInvert: pageTests }) },
  ],
})
