// How the system's Chromium is started, by Playwright's runner and by the fault matrix. Playwright downloads none. Without
// chromiumSandbox it adds --no-sandbox, which root needs.

import { existsSync } from 'node:fs'

// The headless shell is Chromium without the windows and menus that nobody sees, and takes two thirds of the processor time. make
// soak runs the whole browser.
const SHELL = '/usr/bin/chromium-headless-shell'
const WHOLE = '/usr/bin/chromium'

// Without OpenGL in software Chromium draws with the CPU at once, and without a process of its own for that: a fifth less processor time.
const UNSEEN = ['--disable-gpu', '--disable-software-rasterizer', '--in-process-gpu']

// Of several --disable-features Chromium takes the last. So these are Playwright's own,
const PLAYWRIGHT = ['AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'HttpsUpgrades', 'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay', 'MediaRouter', 'PaintHolding', 'ThirdPartyStoragePartitioning', 'AvoidCorsURLLoaderRestartOnRedirect', 'OptimizationHints',
  'NetworkTimeServiceQuerying', 'AimEnabled', 'PreconnectToSearch']
// and the pop-ups of an address bar that nobody sees: each window loads two pages for them, two fifths of all the time.
const POPUPS = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup']

const executablePath = process.env.CHROMIUM ?? (existsSync(SHELL) && !process.env.EVERY ? SHELL : WHOLE)

export const CHROMIUM = {
  executablePath,
  args: [...(executablePath === SHELL ? UNSEEN : []), '--disable-background-networking', '--disable-component-update', '--no-first-run', '--disable-sync',
    `--disable-features=${[...PLAYWRIGHT, ...POPUPS].join(',')}`],
}
