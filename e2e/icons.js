// Draws the icons of the app, static/icon-*.png, from static/icon.svg: npm run icons. A maskable icon has its sign within the inner
// four fifths, since systems cut it to their own shape, and no corners of its own; so has that of iOS.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from '@playwright/test'
import { CHROMIUM } from './chromium.js'

const folder = join(import.meta.dirname, '../static')
const svg = readFileSync(join(folder, 'icon.svg'), 'utf8')
const whole = svg.replace(' rx="7"', '')
const inner = whole.replace('<g ', '<g transform="translate(4 4) scale(.75)"><g ').replace('</svg>', '</g></svg>')

/** @type {[string, number, string][]} */
const icons = [['icon-180', 180, whole], ['icon-192', 192, svg], ['icon-512', 512, svg], ['icon-maskable-512', 512, inner]]

const browser = await chromium.launch(CHROMIUM)
for (const [name, size, picture] of icons) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body { margin: 0 } svg { display: block; width: ${size}px; height: ${size}px }</style>${picture}`)
  writeFileSync(join(folder, `${name}.png`), await page.screenshot({ omitBackground: true }))
}
await browser.close()
