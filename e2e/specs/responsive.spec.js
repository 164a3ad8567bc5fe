import { client } from '../fixtures/client.js'
import { sticksOut } from '../fixtures/layout.js'
import { badge, dialog, expect, lines, live, openAgent, row, test as base } from '../fixtures/test.js'

const test = base.extend({
  memory: async ({ server }, use) => {
    const skein = client(server)
    await use(skein.memory)
    skein.close()
  },
})

test.use({ viewport: { width: 400, height: 800 } })

const LONG = 'a-name-that-somebody-typed-without-a-thought-for-the-width-of-a-phone-held-upright-in-one-hand'

/** @param {import('@playwright/test').Page} page @param {string} what */
const fits = async (page, what) => expect.soft(await sticksOut(page), what).toEqual({ page: 0, elements: [] })

test('nothing sticks out at 400 pixels: the fleet, an agent, the inbox', async ({ fleet: page, server, transport }) => {
  await test.step('the fleet, a form, an agent', async () => {
    await fits(page, 'no agents')
    const [{ id }] = await server.spawn('shell', '--name', LONG, '--', 'sh', '-c', `head -c 600 /dev/zero | tr '\\0' x; echo; exec sleep 300`, 'an argument with spaces', LONG.repeat(3))
    await server.spawn('scripted', '--name', 'asker', '--script', `ask ${'Is this a long question that wraps? '.repeat(6)}`)
    await server.spawn('scripted', '--name', 'broken', '--script', `crash ${'nobreakatall'.repeat(20)}`)
    await expect(row(page, LONG)).toContainText('Running')
    await expect(row(page, 'asker')).toContainText('long question')
    await expect(row(page, 'broken')).toContainText('Failed') // it moves to the top, and with it the rows under the mouse
    await fits(page, 'the fleet')
    await row(page, 'asker').getByRole('textbox', { name: 'Answer asker' }).fill('it works with a thumb')

    await row(page, LONG).getByRole('checkbox').check()
    await fits(page, 'a selection')
    await page.getByRole('region', { name: 'Selection' }).getByRole('button', { name: 'Clear' }).click()

    await page.getByRole('button', { name: 'Spawn', exact: true }).click()
    const form = dialog(page, 'Spawn agents')
    await expect(form.getByRole('button', { name: /^Spawn/ })).toBeInViewport()
    await fits(page, 'the form')
    await form.getByRole('button', { name: 'Cancel' }).click()

    await openAgent(page, server, id, transport)
    await expect(lines(page)).toHaveCount(1)
    await fits(page, 'an agent')
    await expect(page.getByRole('button', { name: 'Stop', exact: true })).toBeInViewport()
    await page.goto(server.http)
    await live(page, transport)
  })

  await test.step('the inbox; and every link of the top is in view at every width', async () => {
    for (const name of ['one', 'two']) await server.spawn('scripted', '--name', name, '--script', `ask ${'Is this a long question? '.repeat(5)}${'nobreakatall'.repeat(20)}\nread`)
    await page.goto(`${server.http}/inbox`)
    await live(page, transport)
    await expect(page.getByRole('main').getByRole('article').filter({ hasText: '2 scripted agents ask' })).toBeVisible()
    await fits(page, 'the inbox')
    const links = page.getByRole('navigation', { name: 'Main' }).getByRole('link')
    for (let width = 320; width <= 1320; width += 40) {
      await page.setViewportSize({ width, height: 800 })
      const cut = await links.evaluateAll((all) => {
        const { left, right, bottom } = /** @type {Element} */ (document.querySelector('.nav')).getBoundingClientRect()
        return all.filter((a) => {
          const r = a.getBoundingClientRect()
          return r.left < left - 1 || r.right > right + 1 || r.bottom > bottom + 1 || r.right > innerWidth
        }).map((a) => a.textContent)
      })
      expect.soft(cut, `${width} pixels`).toEqual([])
    }
  })
})

test('nothing sticks out at 400 pixels: memory, the network', async ({ signedIn: page, server, transport, memory }) => {
  const visit = async (/** @type {string} */ path) => {
    await page.goto(server.http + path)
    await live(page, transport)
  }

  await test.step('memory', async () => {
    await visit('/memory')
    await fits(page, 'an empty memory')
    const long = 'a key without an end '.repeat(12).trim()
    await memory.store({ namespace: 'demo', key: long, value: `${'x'.repeat(900)}\n${'word '.repeat(200)}`, ttl: 900_000, content_type: 'application/vnd.example.very-long+json' })
    await memory.store({ namespace: 'n'.repeat(64), key: 'k', value: new Uint8Array(400) })
    await visit('/memory?q=word&new')
    await fits(page, 'memory')
    await visit('/memory/demo?q=word&new')
    await fits(page, 'a namespace')
    await visit(`/memory/demo/${encodeURIComponent(long)}`)
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    await page.getByRole('textbox', { name: 'Value', exact: true }).fill('y'.repeat(900))
    await fits(page, 'an entry')
    await memory.store({ namespace: 'demo', key: long, value: 'theirs' })
    const conflict = page.getByRole('region', { name: /^It was (changed|deleted)/ })
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await conflict.getByText('What differs', { exact: true }).click()
    await conflict.getByText('Merge by hand').click()
    await fits(page, 'a conflict')
    await visit(`/memory/${'n'.repeat(64)}/k`)
    await fits(page, 'bytes')
  })

  await test.step('the network', async () => {
    await page.goto(server.http)
    await live(page, transport)
    await badge(page).click()
    await page.getByRole('dialog', { name: 'Connection' }).getByRole('link', { name: 'All about this connection' }).click()
    await expect(page.getByRole('heading', { name: 'Network', level: 1 })).toBeVisible()
    await live(page, transport)
    await expect(page.locator('.figure').filter({ has: page.getByText('Round trip', { exact: true }) })).toContainText(/[\d.]+ ms/)
    await fits(page, 'the network')
    await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Network' }), 'it is scrolled to').toBeInViewport()
    await page.getByRole('group', { name: 'Transport of this tab' }).getByRole('button', { name: 'WebSocket', exact: true }).click()
    await live(page, 'websocket')
    await expect(page.getByRole('status').filter({ hasText: 'This tab uses' })).toBeVisible()
    await fits(page, 'the network, with the notice')
  })
})
