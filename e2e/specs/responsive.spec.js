import { sticksOut } from '../fixtures/layout.js'
import { dialog, expect, lines, live, openAgent, row, test } from '../fixtures/test.js'

test.use({ viewport: { width: 400, height: 800 } })

const LONG = 'a-name-that-somebody-typed-without-a-thought-for-the-width-of-a-phone-held-upright-in-one-hand'

test('nothing sticks out at 400 pixels', async ({ fleet: page, server, transport }) => {
  await expect.soft(await sticksOut(page), 'no agents').toEqual({ page: 0, elements: [] })
  const [{ id }] = await server.spawn('shell', '--name', LONG, '--', 'sh', '-c', `head -c 600 /dev/zero | tr '\\0' x; echo; exec sleep 300`, 'an argument with spaces', LONG.repeat(3))
  await server.spawn('scripted', '--name', 'asker', '--script', `ask ${'Is this a long question that wraps? '.repeat(6)}`)
  await server.spawn('scripted', '--name', 'broken', '--script', `crash ${'nobreakatall'.repeat(20)}`)
  await expect(row(page, LONG)).toContainText('Running')
  await expect(row(page, 'asker')).toContainText('long question')
  await expect(row(page, 'broken')).toContainText('Failed') // it moves to the top, and with it the rows under the mouse
  await expect.soft(await sticksOut(page), 'the fleet').toEqual({ page: 0, elements: [] })
  await row(page, 'asker').getByRole('textbox', { name: 'Answer asker' }).fill('it works with a thumb')

  await row(page, LONG).getByRole('checkbox').check()
  await expect.soft(await sticksOut(page), 'a selection').toEqual({ page: 0, elements: [] })
  await page.getByRole('region', { name: 'Selection' }).getByRole('button', { name: 'Clear' }).click()

  await page.getByRole('button', { name: 'Spawn', exact: true }).click()
  const form = dialog(page, 'Spawn agents')
  await expect(form.getByRole('button', { name: /^Spawn/ })).toBeInViewport()
  await expect.soft(await sticksOut(page), 'the form').toEqual({ page: 0, elements: [] })
  await form.getByRole('button', { name: 'Cancel' }).click()

  await openAgent(page, server, id, transport)
  await expect(lines(page)).toHaveCount(1)
  await expect.soft(await sticksOut(page), 'an agent').toEqual({ page: 0, elements: [] })
  await expect(page.getByRole('button', { name: 'Stop', exact: true })).toBeInViewport()
  await page.goto(server.http)
  await live(page, transport)
})
