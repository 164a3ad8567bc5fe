import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Nginx } from '../fixtures/nginx.js'
import { BROKEN, REFUSED, dialog, expect, lines, live, row, test as base } from '../fixtures/test.js'

// Debian's nginx terminates TLS in front of a server that does not know about it, configured as in docs/operating.md.
const test = base.extend({
  args: [['--allow-host', 'skein.example.com'], { option: true }],
  nginx: async ({ server }, use) => {
    const nginx = new Nginx()
    await nginx.start(server)
    await use(nginx)
    await nginx.stop()
  },
})
test.use({ ignoreHTTPSErrors: true })

const LIBRARY = join(import.meta.dirname, '../../static/dist/skein.mjs')

/** A link of skein login, with the URL of the proxy. */
const loginURL = async (server, nginx) => (await server.loginURL()).replace(server.http, nginx.url)

for (const path of ['/', '/tools/skein/']) {
  test.describe(`below ${path}`, { tag: path === '/' ? '@soak' : [] }, () => {
    test.use({ args: ['--base-path', path] })

    test('a page over https goes on over wss: spawn, output, upload, sign in and out', async ({ page, context, server, nginx, noise }) => {
      noise.push(REFUSED)
      const sockets = []
      page.on('websocket', (socket) => sockets.push(socket.url()))
      await page.goto(await loginURL(server, nginx))
      await expect(page).toHaveURL(`${nginx.url}/`)
      await live(page, 'websocket')
      expect(new Set(sockets)).toEqual(new Set([`wss://localhost:${nginx.port}${path}ws`]))
      expect(await context.cookies()).toMatchObject([{ name: 'skein_login', secure: true, path }])

      await page.getByRole('button', { name: 'Spawn', exact: true }).click()
      const form = dialog(page, 'Spawn agents')
      await form.getByRole('radio', { name: /^shell/ }).check()
      await form.getByRole('textbox', { name: 'Command', exact: true }).fill(`sh -c 'echo hello through nginx; read x; echo got $x'`)
      await form.getByRole('textbox', { name: 'Name' }).fill('proxied')
      await form.getByRole('button', { name: /^Spawn/ }).click()
      await row(page, 'proxied').getByRole('link', { name: 'proxied', exact: true }).click()
      await expect(page).toHaveURL(new RegExp(`^${nginx.url}/agents/`))
      await live(page, 'websocket')
      await expect(lines(page)).toContainText(['hello through nginx'])
      await server.cli('send', 'proxied', 'it all')
      await expect(lines(page)).toContainText(['got it all'])

      const bytes = randomBytes(3 << 20)
      writeFileSync(join(server.dir, 'large.bin'), bytes)
      await page.getByRole('link', { name: 'Artifacts' }).click()
      await live(page, 'websocket')
      const chooser = page.waitForEvent('filechooser')
      await page.getByRole('button', { name: 'Upload', exact: true }).click()
      await (await chooser).setFiles(join(server.dir, 'large.bin'))
      await expect(page.getByRole('row').filter({ hasText: 'large.bin' })).toContainText(createHash('sha256').update(bytes).digest('hex').slice(0, 8))

      await page.getByRole('button', { name: 'Account' }).click()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are signed out')
      expect((await page.goto(`${nginx.url}/tasks`))?.status()).toBe(401)
    })
  })
}

test.describe('WebTransport beside the proxy', () => {
  test.skip(({ transport }) => transport === 'websocket', 'UDP leads nowhere there')
  test('is taken when its origin is allowed', async ({ page, server, nginx }) => {
    await nginx.stop()
    await server.stop()
    server.allow(`https://localhost:${nginx.port}`)
    await server.start()
    await nginx.start(server, undefined, nginx.port)
    await page.goto(await loginURL(server, nginx))
    await live(page, 'webtransport')
  })
})

test('a page elsewhere uses the library when its origin is allowed, and reads why not before', async ({ page, server, transport, noise }) => {
  noise.push(REFUSED)
  const files = { '/': ['text/html', '<!doctype html><title>Ops</title>'], '/skein.js': ['text/javascript', readFileSync(LIBRARY)] }
  const elsewhere = createServer((request, response) => {
    const [type, body] = files[request.url ?? ''] ?? ['text/plain', '']
    response.writeHead(200, { 'Content-Type': type }).end(body)
  }).listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  const origin = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (elsewhere.address()).port}`
  const agents = () =>
    page.evaluate(async ({ url, token }) => {
      const { Skein } = await import(new URL('/skein.js', location.href).href)
      const skein = new Skein({ url, token })
      try {
        await skein.ready
        return { transport: skein.connection.transport, agents: (await skein.list()).agents.length }
      } catch (e) {
        return { kind: e.kind, final: e.final, message: e.message, state: skein.state }
      } finally {
        skein.close()
      }
    }, { url: server.http, token: server.token })

  await page.goto(origin)
  expect(await agents()).toMatchObject({ kind: 'origin_not_allowed', final: true, message: expect.stringContaining(`--allow-origin ${origin}`), state: 'closed' })
  await server.stop()
  server.allow(origin)
  await server.start()
  expect(await agents()).toEqual({ transport, agents: 0 })
  elsewhere.close()
})

test('an origin that is not allowed is told so, with what to do, and there it ends', async ({ page, server, nginx, noise }) => {
  noise.push(REFUSED, BROKEN)
  await nginx.stop()
  await nginx.start(server, (conf) => conf.replace('$http_host', '$proxy_host'))
  let asked = 0
  page.on('request', (r) => r.url().endsWith('/connect') && asked++)
  await page.goto(await loginURL(server, nginx))
  const line = page.getByRole('status').filter({ hasText: `--allow-origin ${nginx.origin}` })
  await expect(line).toBeVisible()
  await expect(page.getByRole('banner').getByRole('button', { name: /^Offline/ })).toBeVisible()
  expect(asked).toBe(1)
})
