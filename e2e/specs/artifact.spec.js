import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { deflateSync } from 'node:zlib'
import { check } from '../fixtures/axe.js'
import { client } from '../fixtures/client.js'
import { sticksOut } from '../fixtures/layout.js'
import { expect, live, test as base } from '../fixtures/test.js'

// The page of one artifact: each type of content, the way from and to the list, and that nothing that an agent wrote runs or is fetched.

const test = base.extend({
  artifacts: async ({ server }, use) => {
    const skein = client(server)
    await use(skein.artifacts)
    skein.close()
  },
})

/** A picture of one colour. @param {number} width @param {number} height */
function png(width, height) {
  const chunk = (/** @type {string} */ type, /** @type {Buffer} */ data) => {
    const head = Buffer.alloc(8)
    head.writeUInt32BE(data.length)
    head.write(type, 4)
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc(Buffer.concat([head.subarray(4), data])))
    return Buffer.concat([head, data, sum])
  }
  const size = Buffer.alloc(13)
  size.writeUInt32BE(width)
  size.writeUInt32BE(height, 4)
  size.set([8, 2], 8)
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', size), chunk('IDAT', deflateSync(Buffer.alloc(height * (1 + 3 * width)))), chunk('IEND', Buffer.alloc(0))])
}

/** The CRC-32 of a chunk of PNG. @param {Buffer} bytes */
function crc(bytes) {
  let c = ~0
  for (const b of bytes) {
    c ^= b
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1
  }
  return ~c >>> 0
}

/** @param {import('@playwright/test').Page} page */
const content = (page) => page.getByRole('region', { name: 'Content' })
/** @param {import('@playwright/test').Page} page @param {string} name */
const at = (page, name) => expect(page.getByRole('heading', { level: 1 })).toHaveText(name)

test('one goes through a list of several types by the keyboard, and each is shown as what it is', async ({ signedIn: page, server, transport, artifacts }) => {
  const [agent] = await server.spawn('scripted', '--name', 'maker', '--script', 'idle 1h')
  const put = (/** @type {string} */ name, /** @type {BlobPart} */ bytes, of = agent.id) => artifacts.upload(new Blob([bytes]), { name, ...(of && { agent: of }) })
  await put('build.log', '\x1b[31mred\x1b[0m plain\nsecond\n')
  await put('change.diff', '--- a/x.go\n+++ b/x.go\n@@ -1 +1,2 @@\n-old\n+new\n+more\n')
  await put('other.txt', 'of nobody', '')
  await put('rows.json', '[{"fox":1,"owl":"<b>"},{"fox":22}]')
  await put('scores.csv', `name,score\n${'fox,3\n'.repeat(700)}`)
  await put('picture.png', png(3000, 40))

  await page.goto(`${server.http}/artifacts?agent=${agent.id}`)
  await live(page, transport)
  await page.getByRole('row').getByRole('link', { name: 'picture.png', exact: true }).focus()
  await page.keyboard.press('Enter')
  await at(page, 'picture.png')
  await live(page, transport)
  await expect(page.getByRole('link', { name: 'maker' })).toHaveAttribute('href', `/agents/${agent.id}`)
  await expect(page.getByText('1 of 5')).toBeVisible()
  const picture = content(page).getByRole('img', { name: 'picture.png' })
  const width = () => picture.evaluate((el) => el.getBoundingClientRect().width)
  expect(await width(), 'it fits the page').toBeLessThan(1440)
  await picture.click()
  await expect(page.getByRole('button', { name: 'Full size' })).toHaveAttribute('aria-pressed', 'true')
  expect(await width()).toBe(3000)

  await page.keyboard.press('j')
  await at(page, 'scores.csv')
  await expect(content(page).getByRole('row')).toHaveCount(501)
  await expect(content(page)).toContainText('The first 500 of 700 rows')
  await check(page, 'an artifact') // the other types are in the stories
  await content(page).getByRole('link', { name: 'Text' }).click()
  await expect(content(page)).toContainText('name,score')
  await expect(page.getByText('2 of 5')).toBeVisible()

  await live(page, transport)
  await page.keyboard.press(']')
  await at(page, 'rows.json')
  await expect(content(page).getByRole('row').nth(1)).toHaveText('11<b>')
  await content(page).getByRole('link', { name: 'JSON' }).click()
  await expect(content(page)).toContainText('"owl": "<b>"')
  await expect(content(page).getByText('"fox": 22')).toBeVisible()
  await content(page).locator('summary').nth(2).click()
  await expect(content(page).getByText('"fox": 22')).toBeHidden()

  await live(page, transport)
  await page.keyboard.press('j')
  await at(page, 'change.diff')
  await expect(content(page).getByRole('table', { name: 'Diff of x.go' }).getByRole('row')).toHaveCount(5)
  await live(page, transport)
  await page.keyboard.press('j')
  await at(page, 'build.log')
  await expect(content(page).locator('.f1')).toHaveText('red')
  const came = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Download' }).click()
  expect(readFileSync(await (await came).path(), 'utf8')).toBe('\x1b[31mred\x1b[0m plain\nsecond\n')
  await expect(page.getByRole('link', { name: 'Next artifact' }), 'it is the last one').toHaveCount(0)
  await live(page, transport)
  await page.keyboard.press('k')
  await at(page, 'change.diff')
  await page.setViewportSize({ width: 400, height: 850 })
  expect(await sticksOut(page)).toEqual({ page: 0, elements: [] })
  await live(page, transport)
  await page.keyboard.press('Escape')
  await expect(page).toHaveURL(new RegExp(`/artifacts\\?agent=${agent.id}$`))
  await expect(page.getByRole('row').getByRole('link', { name: 'picture.png', exact: true })).toBeVisible()
})

test('nothing that an artifact holds runs, or is fetched from elsewhere', async ({ signedIn: page, server, transport, artifacts, noise }) => {
  /** @type {string[]} */
  const fetched = []
  const elsewhere = createServer((req, res) => {
    fetched.push(req.url ?? '')
    res.end()
  }).listen(0, '127.0.0.1')
  await new Promise((is) => elsewhere.once('listening', is))
  const evil = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (elsewhere.address()).port}`
  const script = `<script>document.title='ran';top.document.title='ran';fetch('${evil}/ran')</script>`
  page.on('dialog', (d) => {
    throw new Error(`a dialog: ${d.message()}`)
  })
  const files = {
    'page.html': `<!doctype html>${script}<img src="${evil}/html.png" onerror="alert(1)">`,
    'picture.svg': `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30" onload="alert(1)">${script}<image href="${evil}/svg.png" width="9" height="9"/><rect width="90" height="30" fill="red"/></svg>`,
    'notes.md': `# Notes\n\n${script}\n\n[run](javascript:alert(1)) [stop](/stop) [out](${evil}/link) ![seen](${evil}/md.png) <img src="${evil}/raw.png" onerror="alert(1)">\n\n<iframe src="${evil}/frame"></iframe>\n`,
    'rows.csv': `name\n"<img src=${evil}/csv.png onerror=alert(1)>"\n`,
    'called.png': script,
  }
  for (const [name, text] of Object.entries(files)) {
    const type = name.endsWith('.html') ? 'text/html' : name.endsWith('.png') ? 'image/png' : ''
    const { id } = await artifacts.upload(new Blob([text]), { name, ...(type && { media_type: type }) })
    await page.goto(`${server.http}/artifacts/${id}`)
    await live(page, transport)
    await at(page, name)
    await expect(page).toHaveTitle(new RegExp(name))
    expect(await page.locator('[onload], [onerror], a[href^="javascript:"], #content script, #content iframe, #content img:not([src^="/artifacts/"])').count(), name).toBe(0)
    // Its bytes are saved, not shown.
    for (const part of ['view', 'content']) {
      const response = await page.request.get(`${server.http}/artifacts/${id}/${part}`)
      if (part === 'view' && name !== 'picture.svg') expect(response.status(), name).toBe(404)
      else expect(response.headers()['content-disposition'], `${name} ${part}`).toMatch(/^attachment/)
    }
  }
  // Even if a browser shows them as a page, they run nothing and fetch nothing there.
  const picture = (await artifacts.list({ query: 'picture.svg' })).artifacts[0]
  noise.push(/Content Security Policy|sandboxed/)
  await page.route('**/view', async (route) => {
    const response = await route.fetch()
    const { 'content-disposition': _, ...headers } = response.headers()
    await route.fulfill({ response, headers })
  })
  await page.goto(`${server.http}/artifacts/${picture.id}/view`)
  expect(await page.locator('rect').count(), 'it is shown').toBe(1)
  expect(await page.title()).toBe('')
  await page.unroute('**/view')
  await page.goto(`${server.http}/artifacts/${picture.id}`)
  const img = content(page).getByRole('img', { name: 'picture.svg' })
  await expect.poll(() => img.evaluate((el) => /** @type {HTMLImageElement} */ (el).naturalWidth), 'it is drawn').toBe(90)
  await page.goto(`${server.http}/artifacts/${(await artifacts.list({ query: 'notes.md' })).artifacts[0].id}`)
  await expect(content(page).getByRole('link', { name: 'out' })).toHaveAttribute('rel', /noopener/)
  await expect(content(page).getByRole('link', { name: /run|stop/ })).toHaveCount(0)
  await expect(content(page)).toContainText('<iframe src=')
  expect(fetched).toEqual([])
  elsewhere.close()
})

test('an upload shows how far it has come, and becomes whole by itself; from its task and from the search one comes to the page', async ({ signedIn: page, server, transport, artifacts }) => {
  const task = JSON.parse(await server.cli('task', 'submit', '--json', '--type', 'shell', '--name', 'bake', '--', 'sleep', '300')).tasks[0].id
  const bytes = Buffer.from(`# Cake\n\n${'flour '.repeat(20_000)}`)
  const { id } = await artifacts.create({ name: 'cake.md', size: bytes.length, task })
  /** @type {ReadableStreamDefaultController} */
  let parts
  const stream = new ReadableStream({
    start: (c) => {
      parts = c
      c.enqueue(bytes.subarray(0, bytes.length / 2))
    },
  })
  const whole = artifacts.upload(stream, { artifact: id, size: bytes.length })
  await page.goto(`${server.http}/tasks/${task}`)
  await live(page, transport)
  await page.getByRole('region', { name: 'Artifacts' }).getByRole('link', { name: 'cake.md' }).click()
  await at(page, 'cake.md')
  await expect(page).toHaveURL(new RegExp(`/artifacts/${id}\\?task=${task}$`))
  await live(page, transport)
  await expect(page.getByText(/^(Uploading|Paused) at 50%$/)).toBeVisible() // after 10 s without more it is called paused
  await expect(content(page)).toContainText('59 KiB of 117 KiB came')
  parts.enqueue(bytes.subarray(bytes.length / 2))
  parts.close()
  await whole
  await expect(content(page).getByRole('heading', { name: 'Cake' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'Download' })).toBeVisible()
  await expect(page.getByText(/^(Uploading|Paused) at/)).toHaveCount(0)
  await expect(page.getByRole('link', { name: 'bake' })).toHaveAttribute('href', `/tasks/${task}`)

  await page.goto(server.http)
  await live(page, transport)
  await page.keyboard.press('Control+k')
  await page.keyboard.type('cake.md')
  await page.getByRole('option', { name: /cake\.md/ }).click()
  await expect(page).toHaveURL(`${server.http}/artifacts/${id}`)
  await page.keyboard.press('d')
  await expect(page.getByText(`Delete cake.md?`)).toBeVisible()
})
