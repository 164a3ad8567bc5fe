import { join } from 'node:path'
import { someAgents } from '../fixtures/agents.js'
import { badge, dialog, expect, lines, openAgent, row, rows, test } from '../fixtures/test.js'

// Pictures for people to look at: npm run shots, then look into shots/.

const SHOTS = join(import.meta.dirname, '../shots')

for (const theme of /** @type {const} */ (['light', 'dark'])) {
  for (const width of [1440, 400]) {
    test.describe(`${theme}, ${width}`, () => {
      test.use({ viewport: { width, height: width > 400 ? 900 : 850 }, colorScheme: theme, contextOptions: { reducedMotion: 'reduce' } })

      test('pictures', async ({ fleet: page, server, transport, browser }) => {
        test.setTimeout(90_000)
        const shot = (/** @type {string} */ name, p = page) => p.screenshot({ path: join(SHOTS, `${transport}-${name}-${theme}-${width}.png`) })
        await shot('empty')
        await someAgents(server)
        await server.spawn('scripted', '--name', 'demo', '-n', '5')
        await expect(rows(page)).toHaveCount(12)
        await expect(row(page, 'demo-5')).toContainText('Task')
        await shot('fleet')
        await row(page, 'running').getByRole('checkbox').check()
        await row(page, 'idle').getByRole('checkbox').check()
        await shot('selection')
        await page.keyboard.press('Escape')
        await page.getByRole('button', { name: 'Spawn', exact: true }).click()
        await dialog(page, 'Spawn agents').getByRole('radio', { name: /^shell/ }).check()
        await dialog(page, 'Spawn agents').getByRole('textbox', { name: 'Command', exact: true }).fill("sh -c 'date; sleep 60'")
        await shot('spawn')
        await page.keyboard.press('Escape')
        await row(page, 'running').getByRole('link').click()
        await expect(lines(page)).toHaveCount(2)
        await shot('agent')
        await page.getByRole('button', { name: 'Stop', exact: true }).click()
        await shot('stop')
        await page.keyboard.press('Escape')
        await badge(page).click()
        await shot('connection')
        const demo = await server.agent('demo-1')
        await openAgent(page, server, demo.id, transport)
        await expect(lines(page).nth(4)).toBeVisible({ timeout: 20_000 })
        await shot('demo')
        await page.goto(`${server.http}/stories`)
        await page.screenshot({ path: join(SHOTS, `${transport}-stories-${theme}-${width}.png`), fullPage: true })

        const stranger = await browser.newPage({ colorScheme: theme, viewport: page.viewportSize() ?? undefined })
        await stranger.goto(server.http)
        await shot('stranger', stranger)
        await stranger.close()
      })
    })
  }
}
