import { expect, row, rows, test } from '../fixtures/test.js'

const MANY = 500

test('five hundred agents', async ({ fleet: page, server }) => {
  test.setTimeout(120_000)
  await server.spawn('scripted', '--name', 'many', '-n', String(MANY), '--script', 'say I am ready\nidle 1h')
  await expect(page.getByText(`${MANY} agents, ${MANY} alive`)).toBeVisible({ timeout: 20_000 })
  await expect(rows(page)).toHaveCount(MANY)

  const filter = page.getByRole('searchbox', { name: /^Filter/ })
  await filter.fill('many-377')
  await expect(rows(page)).toHaveCount(1)
  await expect(row(page, 'many-377')).toContainText('I am ready')
  await filter.fill('')
  await expect(rows(page)).toHaveCount(MANY)
  await page.getByRole('columnheader', { name: 'Agent' }).getByRole('link').click()
  await expect(rows(page).first()).toContainText('many-1')

  await server.cli('stop', 'many-500')
  await filter.fill('many-500')
  await expect(row(page, 'many-500')).toContainText('Stopped')

  await filter.fill('')
  await expect(rows(page)).toHaveCount(MANY)

  await server.cli('stop', '--all')
  await expect(page.getByText(`${MANY} agents, 0 alive`)).toBeVisible({ timeout: 20_000 })
})
