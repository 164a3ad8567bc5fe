import { client } from '../fixtures/client.js'
import { expect, lines, openAgent, test } from '../fixtures/test.js'

const status = (/** @type {import('@playwright/test').Page} */ page) => page.getByRole('search').getByRole('status')

test('the search finds what the page has not loaded, and shows it among its neighbours', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('scripted', '--name', 'talker', '--script',
    'flood 16 early ${i}\nsay needle 17\nflood 8000 late ${i}\nsay the Needle 17 too\nread\nsay one more needle 17\nidle 1h')
  await expect.poll(async () => (await server.agent('talker')).last_line).toBe('the Needle 17 too')
  await openAgent(page, server, id, transport)
  await expect(lines(page).filter({ hasText: 'needle' })).toHaveText(['the Needle 17 too'])
  const excerpt = page.getByRole('region', { name: 'Lines around the match' })
  const shown = excerpt.locator('.ln .tx')
  const current = page.locator('.ln[data-current] .tx')

  await page.getByRole('searchbox', { name: 'Search the output' }).fill('needle 17')
  await expect(status(page)).toHaveText('2 of 2') // the newest match, which is on the page
  await expect(current).toBeInViewport()
  await expect(excerpt).toBeHidden()
  await page.getByRole('button', { name: 'Previous match' }).click()
  await expect(status(page)).toHaveText('1 of 2')
  await expect(current).toHaveText('needle 17')
  await expect(current).toBeInViewport()
  await expect(shown).toHaveCount(16 + 1 + 100)
  await expect(shown.first()).toHaveText('early 1')
  await expect(shown.last()).toHaveText('late 100')
  await expect(excerpt).toContainText('The output begins here.')
  await expect(excerpt).toContainText('Later lines are not shown here.')
  await expect(page.getByRole('region', { name: 'Lines of output' })).toBeHidden()

  await server.cli('send', 'talker', 'go')
  await expect(status(page)).toHaveText('1 of 3') // output that is printed meanwhile counts
  await page.getByRole('button', { name: 'Next match' }).click()
  await expect(status(page)).toHaveText('2 of 3')
  await expect(excerpt).toBeHidden()
  await expect(lines(page).filter({ hasText: 'the Needle' })).toBeInViewport()
  await page.getByRole('button', { name: 'Previous match' }).click()
  await page.getByRole('button', { name: 'Previous match' }).click() // past the first to the last
  await expect(status(page)).toHaveText('3 of 3')
  await page.getByRole('button', { name: 'Next match' }).click()
  await expect(status(page)).toHaveText('1 of 3')

  await page.getByRole('button', { name: 'Back to the newest' }).click()
  await expect(excerpt).toBeHidden()
  await expect(page.getByRole('button', { name: 'Following' })).toHaveAttribute('aria-pressed', 'true')
  await expect(lines(page).last()).toBeInViewport()
  await expect(lines(page).last()).toHaveText('one more needle 17')

  const box = page.getByRole('searchbox', { name: 'Search the output' })
  await box.fill('early 16')
  await expect(status(page)).toHaveText('1 of 1')
  await expect(current).toHaveText('early 16')
  await box.fill('no such thing')
  await expect(status(page)).toHaveText('No match')
  await box.press('Escape')
  await expect(status(page)).toBeEmpty()
  await expect(excerpt).toBeHidden()
})

test('the timeline shows how it began, however much was printed since', async ({ signedIn: page, server, transport }) => {
  const [{ id }] = await server.spawn('scripted', '--name', 'talker', '--script', 'flood 1000 line ${i}\nrepeat forever\nread\nend')
  await openAgent(page, server, id, transport)
  const timeline = page.getByRole('complementary', { name: 'Timeline' })
  const moments = timeline.getByRole('listitem')
  await expect(lines(page).last()).toHaveText('line 1000')
  await page.reload()
  await expect(moments).toHaveText([/Started/, /Spawned/])
  await expect(timeline.getByRole('button', { name: 'Earlier' })).toBeHidden()

  const skein = client(server)
  for (let i = 1; i <= 220; i++) await skein.input(id, `${i}\n`)
  skein.close()
  await expect(moments.first()).toContainText('220')
  const earlier = timeline.getByRole('button', { name: 'Earlier' })
  for (const first of ['what came meanwhile', 'what the page begins with']) {
    await expect(moments, first).toHaveCount(200)
    await expect(moments.filter({ hasText: 'Spawned' })).toHaveCount(0)
    await earlier.click()
    await expect(moments).toHaveCount(222)
    await expect(moments.last()).toContainText('Spawned')
    await expect(earlier).toBeHidden()
    await page.reload()
  }
})
