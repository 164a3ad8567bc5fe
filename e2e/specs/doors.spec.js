import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { BROKEN, REFUSED, STOPPING, expect, moduleText, raw, serveModules, signIn, test } from '../fixtures/test.js'

// Tests what an endpoint refuses, from a page: over the browser's own WebTransport, or the independent QMux peer.

const CONTROL = { lane: 'control' }
const CLIENT = { id: 'e2e-0123456789abcdef', name: 'e2e' }

/** @param {object} params */
const hello = (params) => ({ jsonrpc: '2.0', id: 1, method: 'hello', params: { versions: ['skein.v1'], client: CLIENT, ...params } })

/**
 * The last message on the control lane before the end.
 * @param {any[]} answers
 * @param {object} last
 */
const saidLast = (answers, last) => expect(answers.at(-1)).toMatchObject(last)

const it = test.extend({
  /**
   * Sends messages to the endpoint of the project's transport, from a page of the server's origin that has no session of
   * its own.
   */
  knock: async ({ page, server, transport }, use) => {
    await signIn(page, server)
    await page.goto(`${server.http}/stories`)
    await serveModules(page)
    await use(async (/** @type {(endpoint: any) => object[]} */ messages, { answered = false } = {}) => {
      for (let tries = 1; ; tries++) {
        const endpoint = (await server.connect()).doors.find((d) => d.transport === transport)
        const got = await raw(page, endpoint, messages(endpoint))
        if (!answered || got.answers.length > 0 || tries === 20) return got // a page that does not read for 250 ms loses what was said last
      }
    })
  },
})

it('a right ticket is let in', async ({ page, server, transport, noise }) => {
  noise.push(BROKEN, STOPPING)
  await signIn(page, server)
  await page.goto(`${server.http}/stories`)
  await serveModules(page)
  const endpoint = (await server.connect()).doors.find((d) => d.transport === transport)
  const ended = raw(page, endpoint, [CONTROL, hello({ ticket: endpoint.ticket })])
  await expect.poll(() => page.evaluate(() => globalThis.answers?.length)).toBeGreaterThan(0)
  expect((await server.sessions())[transport]).toBe(1)
  await server.stop()
  const { answers, code, reason } = await ended
  expect(answers[0].result).toMatchObject({ version: 'skein.v1', recovered: false })
  saidLast(answers, { method: 'goodbye', params: { code: 3000 } })
  expect({ code, reason }).toEqual({ code: 3000, reason: expect.stringMatching(/is stopping/) })
  await server.start()
})

it('what is refused before and in hello', async ({ page, server, transport, knock }) => {
  await it.step('a wrong ticket', async () => {
    const { code, reason, answers } = await knock(() => [CONTROL, hello({ ticket: 'AAAAAAAAAAAAAAAAAAAAAAAAAA' })], { answered: true })
    expect({ code, reason }).toEqual({ code: 3005, reason: expect.stringMatching(/ticket is unknown/) })
    saidLast(answers, { id: 1, error: { code: -32010, data: { kind: 'ticket_expired' } } })
  })

  await it.step('no ticket', async () => {
    expect(await knock(() => [CONTROL, hello({})])).toMatchObject({ code: 3500 })
  })

  await it.step('a ticket that was used', async () => {
    let used
    expect(await knock((endpoint) => [CONTROL, hello({ ticket: (used = endpoint.ticket), client: { id: 'short' } })]), 'used up by a hello that fails otherwise').toMatchObject({ code: 3501 })
    const endpoint = (await server.connect()).doors.find((d) => d.transport === transport)
    const { code, reason } = await raw(page, endpoint, [CONTROL, hello({ ticket: used })])
    expect({ code, reason }).toEqual({ code: 3005, reason: expect.stringMatching(/was used before/) })
  })

  await it.step('an unknown version', async () => {
    const { code, reason, answers } = await knock((endpoint) => [CONTROL, hello({ versions: ['skein.v9'], ticket: endpoint.ticket })], { answered: true })
    expect({ code, reason }).toEqual({ code: 3502, reason: expect.stringMatching(/speaks skein\.v1/) })
    saidLast(answers, { error: { code: -32009, data: { kind: 'unsupported_version', field: 'versions', supported: ['skein.v1'] } } })
  })

  await it.step('something else before hello', async () => {
    const { code, answers } = await knock(() => [CONTROL, { jsonrpc: '2.0', id: 7, method: 'agent.list', params: {} }], { answered: true })
    expect(code).toBe(3501)
    saidLast(answers, { id: 7, error: { code: -32600 } })
  })

  await it.step('garbage instead of a message', async () => {
    const { code } = await knock(() => [CONTROL, 'this is a JSON string, and no request'])
    expect(code).toBe(3501)
    await expect.poll(async () => (await server.sessions())[transport]).toBe(0)
  })
})

it('what took too long: a hello within 5 seconds, a ticket within 30', { tag: '@soak' }, async ({ server, transport, knock }) => {
  const old = (await server.connect()).doors.find((d) => d.transport === transport)
  expect(old.ticket_expires_ms).toBe(30_000)
  const end = Date.now() + old.ticket_expires_ms

  await Promise.all([['no stream', []], ['a control lane without hello', [CONTROL]]].map(async ([what, messages]) => {
    const { code, reason, ms } = await knock(() => messages)
    expect.soft({ code, reason }, what).toEqual({ code: 3004, reason: expect.stringMatching(/no hello/) })
    expect.soft(ms, what).toBeGreaterThan(4_500)
    expect.soft(ms, what).toBeLessThan(9_000)
  }))

  await expect.poll(() => Date.now(), { timeout: 40_000 }).toBeGreaterThan(end)
  const { code, reason } = await knock(() => [CONTROL, hello({ ticket: old.ticket })])
  expect({ code, reason }).toEqual({ code: 3005, reason: expect.stringMatching(/older than 30s/) })
})

it.describe('a page of another origin', () => {
  const elsewhere = it.extend({
    site: async ({}, use) => {
      const site = createServer((req, res) => {
        const { pathname } = new URL(req.url ?? '/', 'http://localhost')
        const script = pathname.startsWith('/e2e/modules/')
        res.setHeader('Content-Type', script ? 'text/javascript' : 'text/html')
        res.end(script ? moduleText(pathname) : '<!doctype html><link rel="icon" href="data:,"><title>elsewhere</title>')
      })
      site.listen(0, 'localhost')
      await once(site, 'listening')
      await use(`http://localhost:${site.address().port}`)
      site.closeAllConnections()
      site.close()
    },
  })

  elsewhere('is not let in, gets no document and changes nothing', async ({ page, server, site, transport, noise }) => {
    await it.step('is not let in, even with a ticket', async () => {
      noise.push(BROKEN)
      await signIn(page, server)
      await page.goto(site)
      const endpoint = (await server.connect()).doors.find((d) => d.transport === transport)
      const { failed, code, answers } = await raw(page, endpoint, [CONTROL, hello({ ticket: endpoint.ticket })])
      expect({ code, answers }).toEqual({ code: undefined, answers: [] })
      expect(failed).toBeTruthy()
      expect(await server.sessions()).toEqual({ webtransport: 0, websocket: 0 })
    })

    await it.step('gets no document and changes nothing, for all its cookies', async () => {
      noise.push(BROKEN, /status of 403|CORS policy/, /status of 404/) // a response that is not a page names no icon, so that the browser asks for the default one
      await page.goto(site)
      for (const [path, words] of /** @type {const} */ ([['/connect', '--allow-origin'], ['/logout', "The request came from another site's page."]])) {
        // The same site on another port: the browser does send the cookie.
        const got = await page.evaluate((url) => fetch(url, { method: 'POST', credentials: 'include' }).then((r) => r.text(), () => 'nothing'), `${server.http}${path}`)
        expect(got, path).toBe('nothing')
        await page.evaluate((url) => {
          const form = Object.assign(document.createElement('form'), { method: 'post', action: url })
          document.body.append(form)
          form.submit()
        }, `${server.http}${path}`)
        await expect(page.locator('body'), path).toContainText(words)
        await expect(page.locator('body'), path).not.toContainText('ticket')
        await page.goto(site)
      }
      await page.goto(server.http)
      await expect(page.getByRole('heading', { name: 'Fleet', level: 1 }), 'still signed in').toBeVisible()
    })
  })

  elsewhere.describe('that the server was told of', () => {
    const told = elsewhere.extend({ args: async ({ site }, use) => use(['--allow-origin', site]) })

    told('is let in', async ({ page, server, site, transport }) => {
      await page.goto(site)
      const endpoint = (await server.connect()).doors.find((d) => d.transport === transport)
      expect(await raw(page, endpoint, [CONTROL, hello({ ticket: 'wrong' })]), 'in, as far as its ticket goes').toMatchObject({ code: 3005 })
    })
  })
})

it('the server restarts between the document and hello: the client library asks again', async ({ page, server, transport, noise }) => {
  noise.push(BROKEN)
  await signIn(page, server)
  await page.goto(`${server.http}/stories`)
  await page.exposeFunction('restart', async () => {
    await server.stop()
    await server.start()
  })
  const { documents, carrier } = await page.evaluate(async () => {
    const { Skein } = await import('/static/skein.js')
    let documents = 0
    const fetch = async (...request) => {
      const response = await globalThis.fetch(...request)
      if (documents++ === 0) await globalThis.restart()
      return response
    }
    const skein = new Skein({ fetch })
    await skein.ready
    const carrier = skein.connection.transport
    skein.close()
    await skein.closed
    return { documents, carrier }
  })
  expect({ documents, carrier }).toEqual({ documents: 2, carrier: transport })
})

it('the same, and the login is not known any more: the page says how to sign in', async ({ fleet: page, server, noise }) => {
  noise.push(BROKEN, REFUSED, STOPPING)
  let restarts = 0
  await page.route('**/connect', async (route) => {
    const response = await route.fetch().catch(() => undefined) // the page may ask while the server restarts
    if (!response?.ok()) return response ? route.fulfill({ response }) : route.abort()
    if (restarts++ === 0) {
      await server.stop()
      rmSync(server.data, { recursive: true })
      await server.start()
    }
    await route.fulfill({ response })
  })
  await server.stop()
  await server.start()
  await expect(page.getByRole('banner').getByRole('button', { name: /^Offline/ })).toBeVisible()
  await expect(page.getByRole('status').filter({ hasText: /Not signed in.*skein login/ })).toBeVisible()
  await page.getByRole('button', { name: 'Load again' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are not signed in')
})
