import { join } from 'node:path'
import { someAgents } from '../fixtures/agents.js'
import { client } from '../fixtures/client.js'
import { TYPES, becomes, someTasks } from '../fixtures/tasks.js'
import { badge, dialog, expect, lines, live, openAgent, row, test } from '../fixtures/test.js'

// Takes screenshots for people: npm run shots, then look into shots/.

const SHOTS = join(import.meta.dirname, '../shots')

for (const theme of /** @type {const} */ (['light', 'dark'])) {
  for (const width of [1440, 400]) {
    test.describe(`${theme}, ${width}`, () => {
      test.use({ viewport: { width, height: width > 400 ? 900 : 850 }, colorScheme: theme, contextOptions: { reducedMotion: 'reduce' } })

      test('pictures of the network', async ({ fleet: page, server, transport }) => {
        await server.spawn('scripted', '--name', 'demo', '-n', '5')
        await page.goto(`${server.http}/network`)
        await live(page, transport)
        await expect(page.getByRole('row').filter({ hasText: 'status' })).toContainText(/kB|KiB/)
        await page.screenshot({ path: join(SHOTS, `${transport}-network-${theme}-${width}.png`), fullPage: true })
      })

      test('pictures', async ({ fleet: page, server, transport, browser }) => {
        const shot = (/** @type {string} */ name, p = page) => p.screenshot({ path: join(SHOTS, `${transport}-${name}-${theme}-${width}.png`) })
        await shot('empty')
        await someAgents(server)
        await server.spawn('scripted', '--name', 'demo', '-n', width > 400 ? '5' : '1') // a narrow page shows fewer rows
        await expect(row(page, width > 400 ? 'demo-5' : 'demo')).toContainText('Task')
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
        const demo = await server.agent(width > 400 ? 'demo-1' : 'demo')
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

      test.describe('tasks', () => {
        test.use({ config: TYPES })

        test('pictures', async ({ fleet: page, server, transport }) => {
          const skein = client(server)
          const shot = (/** @type {string} */ name, fullPage = false) => page.screenshot({ path: join(SHOTS, `${transport}-tasks-${name}-${theme}-${width}.png`), fullPage })
          const open = async (/** @type {string} */ path) => {
            await page.goto(server.http + path)
            await live(page, transport)
          }
          await open('/tasks')
          await shot('none')
          const tasks = await someTasks(skein)
          await expect(page.getByRole('row').filter({ hasText: 'geese' }).first()).toBeVisible()
          await shot('queue', true)
          await page.getByRole('row').filter({ hasText: 'waits' }).first().getByRole('checkbox').check()
          await page.getByRole('row').filter({ hasText: 'dead letter' }).first().getByRole('checkbox').check()
          await shot('selection')
          await page.keyboard.press('c')
          await shot('cancel')
          await page.keyboard.press('Escape')
          await page.keyboard.press('Escape')
          await page.getByRole('link', { name: 'Board' }).click()
          await shot('board', true)
          await page.getByRole('button', { name: 'New task' }).click()
          await shot('new')
          await dialog(page, 'New task').getByRole('radio', { name: /^shell/ }).check()
          await dialog(page, 'New task').getByRole('button', { name: 'Orchestrate many inputs' }).click()
          await dialog(page, 'New task').getByRole('textbox', { name: 'Inputs' }).fill('greylag\nbrant')
          await dialog(page, 'New task').getByRole('combobox', { name: 'It is complete when' }).selectOption('reduce')
          await dialog(page, 'New task').getByText('Timeouts, attempts').click()
          await shot('new-many')
          await page.keyboard.press('Escape')
          for (const name of ['fix the build', 'which way', 'dead letter', 'geese', 'waits', 'bytes']) {
            await open(`/tasks/${tasks[name].id}`)
            await shot(`one-${name.replaceAll(' ', '-')}`, true)
          }
          const slow = await skein.tasks.orchestrate({ name: 'slow geese', task: { type: 'worker' }, inputs: ['greylag', 'barnacle', 'brant', 'pink-footed', 'snow', 'bar-headed'] })
          await open(`/tasks/${slow.id}`)
          await expect(page.getByRole('list', { name: /Results/ }).getByRole('listitem')).not.toHaveCount(0)
          await shot('one-streaming', true)
          await becomes(skein, slow.id, { state: 'completed' })
          await skein.admission.set({ closed: true, reason: 'stop of all' })
          await open('/tasks')
          await shot('closed')
          skein.close()
        })
      })
    })
  }
}
