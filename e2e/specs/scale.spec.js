import { expect, row, rows, test } from '../fixtures/test.js'

const MANY = 1000

test('a thousand agents', async ({ fleet: page, server }) => {
  test.setTimeout(120_000)
  await server.spawn('scripted', '--name', 'many', '-n', String(MANY), '--script', 'say I am ready\nidle 1h')
  await expect(page.getByText(`${MANY} agents, ${MANY} alive`)).toBeVisible({ timeout: 20_000 })
  await expect(rows(page)).toHaveCount(MANY)

  // A page that is busy answers no key: each of these has a second.
  const quick = { timeout: 1000 }
  const filter = page.getByRole('searchbox', { name: /^Filter/ })
  await filter.fill('many-777')
  await expect(rows(page)).toHaveCount(1, quick)
  await expect(row(page, 'many-777')).toContainText('I am ready')
  await filter.fill('')
  await expect(rows(page)).toHaveCount(MANY, quick)
  await page.getByRole('columnheader', { name: 'Agent' }).getByRole('link').click()
  await expect(rows(page).first()).toContainText('many-1', quick)

  await server.cli('stop', 'many-500')
  await filter.fill('many-500')
  await expect(row(page, 'many-500')).toContainText('Stopped')

  // Frames while everything is shown and nothing happens: the page rests.
  await filter.fill('')
  await expect(rows(page)).toHaveCount(MANY)
  const longest = await page.evaluate(() => new Promise((done) => {
    const began = performance.now()
    let last = began
    let longest = 0
    const frame = (/** @type {number} */ now) => {
      longest = Math.max(longest, now - last)
      last = now
      if (now - began > 2000) done(longest)
      else requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  }))
  expect(longest, 'the longest frame of two seconds, in milliseconds').toBeLessThan(500)

  await server.cli('stop', '--all')
  await expect(page.getByText(`${MANY} agents, 0 alive`)).toBeVisible({ timeout: 20_000 })
})
