import { defineConfig } from '@playwright/test'

// Every spec runs twice. In `websocket` UDP leads into a black hole (fixtures/network.js): the page is not told, it has
// to find its way.
export default defineConfig({
  testDir: 'specs',
  testIgnore: process.env.SHOTS ? [] : ['shots.spec.js'], // pictures for people: npm run shots
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
    { name: 'websocket', use: { transport: 'websocket' } },
  ],
})
