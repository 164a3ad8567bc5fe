import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { client } from '../fixtures/client.js'
import { sticksOut } from '../fixtures/layout.js'
import { Link } from '../fixtures/network.js'
import { BROKEN, COMES_BACK, badge, dialog, expect, live, openAgent, signIn, test as base, toast } from '../fixtures/test.js'

const test = base.extend({
  // A client that makes changes from elsewhere.
  artifacts: async ({ server }, use) => {
    const skein = client(server)
    await use(skein.artifacts)
    skein.close()
  },

  // Opens the page of artifacts and waits until it is live.
  visit: async ({ signedIn: page, server, transport }, use) => {
    await use(async (path = '/artifacts') => {
      await page.goto(server.http + path)
      await live(page, transport)
    })
  },
})

/** @typedef {import('@playwright/test').Page} Page */

/** @param {Page} page @param {string} name */
const row = (page, name) => page.getByRole('row').filter({ has: page.locator('.name').getByText(name, { exact: true }) })

/** An upload of this page. @param {Page} page @param {string} name */
const upload = (page, name) => page.getByRole('region', { name: 'Uploads' }).getByRole('listitem').filter({ hasText: name })

/**
 * Creates a file of random bytes on disk.
 * @param {import('../fixtures/server.js').Server} server
 * @param {string} name
 * @param {number} size
 */
function file(server, name, size) {
  const path = join(server.dir, name)
  const bytes = randomBytes(size)
  writeFileSync(path, bytes)
  return { path, sum: sha256(bytes) }
}

/** @param {Uint8Array} bytes */
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** Chooses files with the button. @param {Page} page @param {string | string[]} paths */
async function choose(page, paths) {
  const chooser = page.waitForEvent('filechooser')
  await page.getByRole('button', { name: 'Upload', exact: true }).click()
  await (await chooser).setFiles(paths)
}

/** Downloads a file from its row. @param {Page} page @param {string} name */
async function download(page, name) {
  const came = page.waitForEvent('download')
  await row(page, name).getByRole('link', { name: `Download ${name}` }).click()
  return readFileSync(await (await came).path())
}

test('a file goes up by the button and comes down the same', async ({ signedIn: page, visit, server, artifacts }) => {
  await visit()
  await expect(page.getByRole('region', { name: 'No artifacts yet' })).toContainText('SKEIN_OUTBOX')
  const { path, sum } = file(server, 'twenty ünï.bin', 20 << 20)
  await choose(page, path)
  await expect(upload(page, 'twenty ünï.bin')).toContainText(/ of 20 MiB/)
  await expect(upload(page, 'twenty ünï.bin')).toContainText('20 MiB, complete', { timeout: 60_000 })
  await expect(row(page, 'twenty ünï.bin')).toContainText('Complete')
  await expect(row(page, 'twenty ünï.bin').locator('.f-sum code')).toHaveAttribute('title', sum)
  await expect(page.locator('#summary')).toHaveText('1 artifact, 20 MiB')
  expect(sha256(await download(page, 'twenty ünï.bin'))).toBe(sum)
  const { artifacts: all } = await artifacts.list()
  expect(all).toMatchObject([{ name: 'twenty ünï.bin', size: 20 << 20, sha256: sum, state: 'complete' }])
})

test('several files are dropped, folders are not taken', async ({ signedIn: page, visit, artifacts }) => {
  await visit()
  const data = await page.evaluateHandle(() => {
    const all = new DataTransfer()
    for (const name of ['one.txt', 'two.txt', 'empty.txt']) all.items.add(new File(name === 'empty.txt' ? [] : [`I am ${name}`], name, { type: 'text/plain' }))
    return all
  })
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: data })
  await expect(page.getByText('Drop files to upload them')).toBeVisible()
  await page.dispatchEvent('body', 'drop', { dataTransfer: data })
  await expect(page.getByText('Drop files to upload them')).toBeHidden()
  for (const name of ['one.txt', 'two.txt', 'empty.txt']) await expect(row(page, name)).toContainText('Complete')
  expect((await download(page, 'two.txt')).toString()).toBe('I am two.txt')
  expect((await artifacts.list()).total).toBe(3)
  await page.getByRole('button', { name: 'Clear finished' }).click()
  await expect(page.getByRole('region', { name: 'Uploads' })).toBeHidden()
})

test('an upload is canceled, and leaves nothing', async ({ signedIn: page, visit, server, artifacts }) => {
  await visit()
  const path = join(server.dir, 'large.bin')
  writeFileSync(path, '')
  truncateSync(path, 8 * 2 ** 30) // so that it is still on its way, however fast the machine is
  await choose(page, path)
  await expect(upload(page, 'large.bin')).toContainText(/MiB\/s/)
  await expect(row(page, 'large.bin')).toContainText('Uploading')
  await upload(page, 'large.bin').getByRole('button', { name: 'Cancel: large.bin' }).click()
  await expect(upload(page, 'large.bin')).toHaveCount(0)
  await expect(row(page, 'large.bin')).toHaveCount(0)
  await expect.poll(async () => (await artifacts.list()).total).toBe(0)
})

test('an upload that was left is resumed with the same file', async ({ signedIn: page, visit, server, artifacts }) => {
  const { path, sum } = file(server, 'left.bin', 6 << 20)
  const bytes = readFileSync(path)
  const { id } = await artifacts.create({ name: 'left.bin', size: bytes.length })
  const gone = new AbortController()
  const parts = new ReadableStream({
    start: (c) => c.enqueue(bytes.subarray(0, 2 << 20)), // and no more
  })
  const begun = artifacts.upload(parts, { artifact: id, size: bytes.length, signal: gone.signal })
  begun.catch(() => {})
  await expect.poll(async () => (await artifacts.get(id)).received).toBe(2 << 20)
  gone.abort(new Error('left'))
  await visit()
  await expect(row(page, 'left.bin')).toContainText('Paused at 33%')

  const resume = row(page, 'left.bin').getByRole('button', { name: 'Resume the upload of left.bin' })
  const wrong = page.waitForEvent('filechooser')
  await resume.click()
  await (await wrong).setFiles(file(server, 'another.bin', 100).path)
  await expect(toast(page, 'This is another file')).toBeVisible()
  const right = page.waitForEvent('filechooser')
  await resume.click()
  await (await right).setFiles(path)
  await expect(row(page, 'left.bin')).toContainText('Complete')
  expect(await artifacts.get(id)).toMatchObject({ sha256: sum, state: 'complete' })
})

test("an agent's file shows up, on its page too, and is downloaded", async ({ signedIn: page, visit, server, transport }) => {
  await visit()
  const [agent] = await server.spawn('shell', '--name', 'maker', '--', 'sh', '-c', 'printf "made by %s" maker > "$SKEIN_OUTBOX/result.txt"; exec sleep 300')
  const [other] = await server.spawn('shell', '--name', 'idler', '--', 'sleep', '300')
  await expect(row(page, 'result.txt')).toContainText('Complete')
  await expect(row(page, 'result.txt').getByRole('link', { name: 'maker' })).toHaveAttribute('href', `/agents/${agent.id}`)
  expect((await download(page, 'result.txt')).toString()).toBe('made by maker')

  await openAgent(page, server, agent.id, transport)
  const kept = page.getByRole('region', { name: 'Artifacts' })
  await expect(kept.getByRole('listitem')).toHaveText(['result.txt 13 B'])
  await kept.getByRole('link', { name: 'All 1' }).click()
  await expect(page).toHaveURL(new RegExp(`/artifacts\\?agent=${agent.id}$`))
  await expect(page.getByText('Of agent maker')).toBeVisible()
  await expect(row(page, 'result.txt')).toBeVisible()
  await visit(`/artifacts?agent=${other.id}`)
  await expect(page.getByRole('region', { name: 'No artifact matches' })).toBeVisible()
  await choose(page, file(server, 'for the idler.txt', 10).path)
  await expect(row(page, 'for the idler.txt').getByRole('link', { name: 'idler', exact: true }), 'it belongs to the agent of the filter').toBeVisible()
  await openAgent(page, server, other.id, transport)
  await expect(page.getByRole('region', { name: 'Artifacts' }).getByRole('listitem')).toHaveText([/^for the idler.txt/])
})

test('the list follows what happens, and is filtered', async ({ signedIn: page, visit, artifacts }) => {
  await visit()
  for (const name of ['alpha.txt', 'beta.txt']) await artifacts.upload(new Blob([name]), { name })
  await expect(row(page, 'alpha.txt')).toBeVisible()
  await expect(row(page, 'beta.txt')).toBeVisible()
  await page.keyboard.press('/')
  await page.keyboard.type('ALPH')
  await expect(row(page, 'beta.txt')).toHaveCount(0)
  await expect(page).toHaveURL(/\?q=ALPH$/)
  await expect(row(page, 'alpha.txt').locator('.name'), 'its page knows the list').toHaveAttribute('href', /^\/artifacts\/f\w+\?q=ALPH$/)
  await page.reload()
  await expect(row(page, 'alpha.txt')).toBeVisible()
  await expect(row(page, 'beta.txt')).toHaveCount(0)
  const { artifacts: [found] } = await artifacts.list({ query: 'alpha' })
  await artifacts.delete(found.id)
  await expect(page.getByRole('region', { name: 'No artifact matches' })).toBeVisible()
})

test('one is deleted, by the keyboard', async ({ signedIn: page, visit, artifacts }) => {
  for (const name of ['first.txt', 'second.txt']) await artifacts.upload(new Blob([name]), { name })
  await visit()
  const key = (/** @type {string} */ k) => page.keyboard.press(k)
  await key('j')
  await expect(row(page, 'second.txt').locator('.name')).toBeFocused()
  await key('d')
  await expect(dialog(page, 'Delete second.txt?')).toBeVisible()
  await key('Escape')
  await expect(row(page, 'second.txt').locator('.name'), 'the focus comes back').toBeFocused()
  await key('d')
  await key('Enter')
  await expect(toast(page, 'second.txt is deleted')).toBeVisible()
  await expect(row(page, 'second.txt')).toHaveCount(0)
  expect((await artifacts.list()).artifacts.map((a) => a.name)).toEqual(['first.txt'])
})

test('on a narrow screen nothing sticks out', async ({ signedIn: page, visit, server, artifacts }) => {
  await page.setViewportSize({ width: 400, height: 850 })
  const fits = async (/** @type {string} */ what) => expect.soft(await sticksOut(page), what).toEqual({ page: 0, elements: [] })
  await visit()
  await fits('no artifacts')
  const long = `${'a name without an end '.repeat(10)}.txt`
  await artifacts.upload(new Blob(['x']), { name: long, media_type: 'application/vnd.example.very-long.media.type' })
  await artifacts.create({ name: 'half.bin', size: 10 })
  await expect(row(page, 'half.bin')).toBeVisible()
  await choose(page, file(server, 'up.bin', 30 << 20).path)
  await expect(upload(page, 'up.bin')).toBeVisible()
  await fits('artifacts and an upload')
  await row(page, long.trim()).getByRole('button', { name: /^Delete/ }).click()
  await fits('the question')
  await page.keyboard.press('Escape')
  await upload(page, 'up.bin').getByRole('button', { name: /^(Cancel|Dismiss)/ }).click()
})

test('nothing that axe finds', { tag: '@soak' }, async ({ signedIn: page, visit, server, artifacts, transport }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await visit()
  await check(page, 'no artifacts')
  const [agent] = await server.spawn('scripted', '--name', 'owner', '--script', 'idle 1h')
  await artifacts.upload(new Blob(['x']), { name: 'a.txt', agent: agent.id })
  await artifacts.create({ name: 'half.bin', size: 10 })
  await expect(row(page, 'half.bin')).toBeVisible()
  await choose(page, file(server, 'up.txt', 10).path)
  await expect(upload(page, 'up.txt')).toContainText('complete')
  await check(page, 'artifacts and uploads')
  await row(page, 'a.txt').getByRole('button', { name: 'Delete a.txt' }).click()
  await check(page, 'the question before a delete')
  await openAgent(page, server, agent.id, transport)
  await check(page, 'an agent with artifacts')
})

test.describe('on a link that breaks', () => {
  const it = test.extend({
    link: async ({}, use) => {
      const link = new Link()
      await link.open()
      await use(link)
      link.close()
    },
    args: async ({ link, transport }, use) => use(['--allow-origin', `http://localhost:${link.tcpPort}`, ...(transport === 'webtransport' ? ['--quic-port', String(link.udpPort)] : [])]),
    noise: async ({}, use) => use([BROKEN]),
  })

  it('an upload that is cut off in the middle goes on behind what arrived', async ({ page, server, link, transport, artifacts }) => {
    link.lead(server)
    const there = `http://localhost:${link.tcpPort}`
    await signIn(page, server)
    await page.goto(`${there}/artifacts`)
    await live(page, transport)
    const { path, sum } = file(server, 'cut.bin', 24 << 20)
    link.allow(12 << 20) // so that the cut comes in the middle, however fast the machine is
    await choose(page, path)
    let received = 0
    await expect.poll(async () => {
      const [a] = (await artifacts.list()).artifacts
      return (received = a?.received ?? 0)
    }, { intervals: [20] }).toBeGreaterThan(4 << 20)
    link.cut()
    await expect(badge(page)).toHaveAccessibleName(/^Reconnecting/, { timeout: COMES_BACK })
    await expect(upload(page, 'cut.bin')).toContainText('waits for the connection')
    const [half] = (await artifacts.list()).artifacts
    expect(half.state, 'it was cut off before its end').toBe('uploading')
    expect(half.received).toBeGreaterThanOrEqual(received)
    link.mend()
    await expect(badge(page)).toHaveAccessibleName(/^Web/, { timeout: COMES_BACK })
    let least = Infinity
    await expect.poll(async () => {
      const a = await artifacts.get(half.id)
      least = Math.min(least, a.received)
      return a.state
    }, { timeout: 90_000, intervals: [50] }).toBe('complete')
    expect(least, 'nothing that arrived was sent again').toBeGreaterThanOrEqual(half.received)
    expect((await artifacts.get(half.id)).sha256).toBe(sum)
    expect((await artifacts.list()).total, 'there is one').toBe(1)
    await expect(row(page, 'cut.bin')).toContainText('Complete')
  })
})
