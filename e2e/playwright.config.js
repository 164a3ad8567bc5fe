import { defineConfig } from '@playwright/test'

// In `websocket` UDP leads into a black hole (fixtures/network.js): the page is not told, it has to find its way. Every spec
// runs in `webtransport`, and in both unless it is about a page alone: what that shows comes over lanes that others try.
const pictures = process.env.SHOTS ? [] : ['shots.spec.js'] // for people: npm run shots
const pages = ['accessibility', 'health', 'login', 'responsive', 'scale', 'spawn'].map((name) => `${name}.spec.js`)
const pageTests = [
  /(memory|tasks)\.spec\.js (?!.*(link that breaks|restart|results come in|cancel reaches|two pages))/,
  /axe finds|narrow screen|400 pixels|without script|whose script never ran|by the keyboard/,
  /artifacts\.spec\.js .*(several files are dropped|the list follows)/,
  /emergency\.spec\.js .*(letting go early|the chord asks|a click without a hold|from an agent's page)/,
  /live\.spec\.js .*(following goes along|binary, colours|the filters and the order|own page asks)/,
  /network\.spec\.js .*nothing is asked while/,
  /stop\.spec\.js .*(takes a no|several at once|from its own page)/,
]

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
    launchOptions: {
      // The system's Chromium; Playwright downloads none. Without chromiumSandbox it adds --no-sandbox, which root needs.
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--disable-background-networking', '--disable-component-update', '--no-first-run', '--disable-sync'],
    },
  },
  projects: [
    { name: 'webtransport', use: { transport: 'webtransport' } },
    { name: 'websocket', use: { transport: 'websocket' }, testIgnore: [...pictures, ...pages], grepInvert: pageTests },
  ],
})
