import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { CHROMIUM } from '../chromium.js'
import { check } from '../fixtures/axe.js'
import { sticksOut } from '../fixtures/layout.js'
import { PushService } from '../fixtures/pushservice.js'
import { BROKEN, expect, live, signIn, test as base } from '../fixtures/test.js'

// The headless shell has no notifications. The other name of this machine makes a page no secure context; no other name is found, so that the browser
// does not reach its push service.
const WHOLE = { args: [...CHROMIUM.args, '--host-resolver-rules=MAP skein.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1'], executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' }

const test = base.extend({
  service: async ({ server }, use) => {
    const service = new PushService()
    await service.start(server)
    await use(service)
    await service.stop()
  },
})

test.use({ launchOptions: WHOLE, config: 'push: {private: true}\n', trusting: true })

/** @param {import('@playwright/test').Page} page */
const control = (page) => page.getByRole('main').getByRole('group').filter({ hasText: 'Notify this browser when it\'s closed' })

/** @param {import('@playwright/test').Page} page @param {string | RegExp} state */
const says = (page, state) => expect(control(page).locator('[data-f="state"]')).toHaveText(state)

/** @param {import('@playwright/test').Page} page @param {string} name */
const button = (page, name) => control(page).getByRole('button', { name, exact: true })

/** @param {import('@playwright/test').Page} page @param {string} url @param {'webtransport' | 'websocket'} transport */
async function openControl(page, url, transport) {
  await page.goto(`${url}/inbox`)
  await live(page, transport)
  await control(page).getByText('Notify this browser').click()
}

/** The notifications that the service worker shows. @param {import('@playwright/test').Page} page */
const notifications = (page) => page.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(({ title, body, tag }) => ({ title, body, tag })))

/**
 * Returns what delivers a message to the page's service worker, as the browser does when one comes from its push service, and waits until the
 * worker has shown it. Chromium forgets a notification that is asked for while it begins to be shown.
 * @param {import('@playwright/test').Page} page
 */
async function delivery(page) {
  const cdp = await page.context().newCDPSession(page)
  const found = new Promise((tell) => {
    cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: [first] }) => first && tell(first.registrationId))
  })
  await cdp.send('ServiceWorker.enable')
  const registrationId = await found
  return async (message) => {
    const worker = page.context().serviceWorkers().at(-1)
    await worker.evaluate(() => {
      globalThis.shown = false
      registration.showNotification = async (...args) => {
        await ServiceWorkerRegistration.prototype.showNotification.apply(registration, args)
        globalThis.shown = true
      }
    })
    await cdp.send('ServiceWorker.deliverPushMessage', { origin: new URL(page.url()).origin, registrationId, data: typeof message === 'string' ? message : JSON.stringify(message) })
    await expect.poll(() => worker.evaluate(() => globalThis.shown)).toBe(true)
  }
}

/** Clicks a notification, for the service worker. @param {import('@playwright/test').Page} page @param {string} tag */
async function click(page, tag) {
  const worker = page.context().serviceWorkers().at(-1)
  return worker.evaluate(async (tag) => {
    const opened = []
    clients.openWindow = async (url) => (opened.push(url), null) // which needs a click of a person
    WindowClient.prototype.focus = async function () { return this }
    const [notification] = (await registration.getNotifications()).filter((n) => n.tag === tag)
    const waits = []
    const e = new NotificationEvent('notificationclick', { notification })
    e.waitUntil = (promise) => waits.push(promise)
    dispatchEvent(e)
    await Promise.all(waits)
    return opened
  }, tag)
}

/** @param {import('../fixtures/server.js').Server} server @param {string} name @param {string} question */
const ask = async (server, name, question) => (await server.spawn('scripted', '--name', name, '--script', `ask ${question}\nread`))[0]

for (const args of [[], ['--base-path', '/skein/']]) {
  test.describe(args.length ? 'below a path' : 'at the top', { tag: args.length ? '@soak' : [] }, () => {
    test.use({ args })

    test('a question reaches a browser that has no page of Skein open', async ({ signedIn: page, server, service, transport, context }) => {
      await context.grantPermissions(['notifications'], { origin: new URL(server.http).origin })
      await service.serve(page)
      await openControl(page, server.http, transport)
      await says(page, 'Off')
      await check(page, 'the control, off')
      await button(page, 'Turn on').click()
      await says(page, 'On')
      await expect(control(page)).toContainText('Nothing was sent yet.')
      await check(page, 'the control, on')
      expect(await page.evaluate(async () => (await navigator.serviceWorker.ready).scope)).toBe(`${server.http}/`)
      const deliver = await delivery(page)

      await ask(server, 'reviewer', 'Merge <b>into</b> main?')
      await expect.poll(() => service.got.length).toBe(1)
      const { headers, message } = service.got[0]
      expect(message).toMatchObject({ kind: 'ask', name: 'reviewer', text: 'Merge <b>into</b> main?', waiting: 1, all: [message.id] })
      expect(headers).toMatchObject({ ttl: '86400', urgency: 'high', topic: 'inbox', 'content-encoding': 'aes128gcm' })
      await page.reload()
      await live(page, transport)
      await says(page, 'On')
      await control(page).getByText('Notify this browser').click()
      await expect(control(page)).toContainText(/The last message was taken (\d+s ago|just now)\./)

      // The browser gets it while another page is open.
      await page.goto(`${server.http}/tasks`)
      await deliver(message)
      await expect.poll(() => notifications(page)).toEqual([{ title: 'reviewer waits for you', body: 'Merge <b>into</b> main?', tag: message.id }])
      await ask(server, 'other', 'Which way?')
      await expect.poll(() => service.got.length).toBe(2)
      const second = service.got[1].message
      await deliver(second)
      await expect.poll(async () => (await notifications(page)).map((n) => n.body).sort()).toEqual(['Merge <b>into</b> main?', 'Which way?\n2 wait for you.'])
      expect(await click(page, message.id)).toEqual([`${server.http}/inbox#${message.id}`])
      await expect.poll(async () => (await notifications(page)).map((n) => n.tag)).toEqual([second.id])

      // What waits no more goes with the next message, or when the inbox is open.
      await server.cli('inbox', 'answer', second.id, 'left')
      await ask(server, 'third', 'And now?')
      await expect.poll(() => service.got.length).toBe(3)
      const third = service.got[2].message
      await deliver(third)
      await expect.poll(async () => (await notifications(page)).map((n) => n.tag)).toEqual([third.id])
      await page.goto(`${server.http}/inbox`)
      await live(page, transport)
      expect(await click(page, third.id), 'the page is there already').toEqual([])
      await expect.poll(() => new URL(page.url()).hash).toBe(`#${third.id}`)
      await expect(page.getByRole('article').filter({ hasText: 'And now?' })).toBeFocused()
      await deliver(third)
      await expect.poll(async () => (await notifications(page)).length).toBe(1)
      await server.cli('inbox', 'answer', third.id, 'later')
      await expect.poll(() => notifications(page)).toEqual([])

      await deliver('no JSON')
      await expect.poll(() => notifications(page)).toEqual([{ title: 'An agent waits for you', body: '', tag: 'inbox' }])
    })
  })
}

test.describe('what the push service says', () => {
  test.use({ noise: [/responded with a status of (503|409)/] })

  test('a test message, its failure, and the end of a subscription', async ({ signedIn: page, server, service, transport, context }) => {
    await context.grantPermissions(['notifications'], { origin: server.http })
    await service.serve(page)
    await openControl(page, server.http, transport)
    await button(page, 'Turn on').click()
    await button(page, 'Send a test').click()
    await expect(control(page).getByRole('status')).toContainText('a notification should appear')
    expect(service.got[0].message).toEqual({ kind: 'test', waiting: 0 })
    await (await delivery(page))(service.got[0].message)
    await expect.poll(() => notifications(page)).toMatchObject([{ title: 'Skein notifies this browser', tag: 'test' }])

    service.status = 403
    await button(page, 'Send a test').click()
    await says(page, 'On, and the last message failed')
    await expect(control(page)).toContainText(/The last message failed, .*: the push service answered 403 Forbidden/)
    await expect(control(page).getByRole('status')).toBeHidden()
    await check(page, 'a failure')

    service.status = 410
    await button(page, 'Send a test').click()
    await says(page, 'Off')
    service.status = 201
    await page.reload() // it subscribes anew, since it was wanted
    await says(page, 'On')
    await control(page).getByText('Notify this browser').click()
    await button(page, 'Send a test').click()
    await expect(control(page)).toContainText('The last message was taken')

    await button(page, 'Turn off').click()
    await says(page, 'Off')
    await page.reload()
    await says(page, 'Off')
    const sent = service.got.length
    await ask(server, 'reviewer', 'Merge?')
    await expect(page.getByRole('article')).toHaveCount(1)
    expect(service.got.length).toBe(sent)
  })
})

test('other browsers are listed and can be removed, and one that the browser replaces is told', async ({ signedIn: page, server, service, transport, context }) => {
  await test.step('other browsers are listed, and can be removed', async () => {
    const subscription = { endpoint: `${service.endpoint}/other`, keys: { p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4', auth: 'BTBZMqHH6r4Tts7J_aSIgg' } }
    const response = await page.request.post(`${server.http}/push`, { data: subscription, headers: { 'User-Agent': 'Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0' } })
    expect(response.status()).toBe(200)
    await openControl(page, server.http, transport)
    const others = control(page).getByRole('listitem')
    await expect(others).toHaveText(/Firefox on Android\s*since just now|Firefox on Android\s*since \d+s ago/)
    await check(page, 'another browser')
    await page.setViewportSize({ width: 400, height: 800 })
    expect(await sticksOut(page)).toEqual({ page: 0, elements: [] })
    await control(page).getByRole('button', { name: 'Remove Firefox on Android' }).click()
    await expect(others).toHaveCount(0)
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  await test.step('a subscription that the browser replaces is told to the server', async () => {
    await context.grantPermissions(['notifications'], { origin: server.http })
    await service.serve(page)
    await openControl(page, server.http, transport)
    await button(page, 'Turn on').click()
    await says(page, 'On')
    const worker = context.serviceWorkers().at(-1)
    await worker.evaluate(async ({ endpoint, keys }) => {
      const waits = []
      const subscription = (n) => ({ endpoint: endpoint + n, options: {}, toJSON: () => ({ endpoint: endpoint + n, keys }) })
      const e = Object.assign(new ExtendableEvent('pushsubscriptionchange'), { oldSubscription: subscription(1), newSubscription: subscription(2), waitUntil: (promise) => waits.push(promise) })
      dispatchEvent(e)
      await Promise.all(waits)
    }, service)
    await ask(server, 'reviewer', 'Merge?')
    await expect.poll(() => service.got.length).toBe(1)
    expect(service.got[0].path).toBe('/push/a-browser2')
    const { subscriptions } = await (await page.request.get(`${server.http}/push`)).json()
    expect(subscriptions).toHaveLength(1)
  })
})

test('a server that has lost its key is told again', async ({ signedIn: page, server, service, transport, context, noise }) => {
  noise.push(BROKEN)
  await context.grantPermissions(['notifications'], { origin: server.http })
  await service.serve(page)
  await openControl(page, server.http, transport)
  await button(page, 'Turn on').click()
  await says(page, 'On')
  await server.stop()
  rmSync(join(server.data, 'push'), { recursive: true })
  await server.start()
  await openControl(page, server.http, transport)
  await says(page, 'On')
  await button(page, 'Send a test').click()
  await expect(control(page)).toContainText('The last message was taken')
  expect(service.got[0].path, 'the second subscription').toBe('/push/a-browser2')
})

test('why a browser could not subscribe is said', async ({ signedIn: page, server, service, transport, context, noise }) => {
  await test.step('who has refused notifications is told where to allow them', async () => {
    await service.serve(page)
    await page.addInitScript(() => { // a person refuses
      let permission = 'default'
      Object.defineProperty(Notification, 'permission', { get: () => permission })
      Notification.requestPermission = async () => (permission = 'denied')
    })
    await openControl(page, server.http, transport)
    await says(page, 'Off')
    await button(page, 'Turn on').click()
    await says(page, 'Not possible here')
    await expect(control(page)).toContainText(`Allow notifications for ${new URL(server.http).host} in its settings`)
    await expect(button(page, 'Turn on')).toBeHidden()
    await check(page, 'a refusal')
  })

  await test.step('a browser that can\'t subscribe with its push service says so', async () => {
    const other = await context.newPage()
    noise.push(/does not support the Push API in incognito mode/)
    await context.grantPermissions(['notifications'], { origin: server.http })
    await openControl(other, server.http, transport)
    await button(other, 'Turn on').click() // the browser's own subscribe: it takes the key
    await expect(control(other).getByRole('status')).toHaveText(/^The browser could not subscribe with its push service, which a private window never can: Registration failed/)
    await says(other, 'Off')
    await expect(button(other, 'Turn on')).toBeEnabled()
  })

  await test.step('a push service that does not answer is not waited for', async () => {
    const other = await context.newPage()
    await context.grantPermissions(['notifications'], { origin: server.http })
    await other.addInitScript(() => { // as Chromium does without a network
      PushManager.prototype.subscribe = () => new Promise(() => {})
    })
    await other.clock.install()
    await openControl(other, server.http, transport)
    await button(other, 'Turn on').click()
    await expect(control(other).getByRole('status')).toHaveText('The browser subscribes with its push service…')
    await other.clock.fastForward(20_000)
    await expect(control(other).getByRole('status')).toContainText('never can: it does not answer')
    await expect(button(other, 'Turn on')).toBeEnabled()
  })
})

test.describe('a page that is not secure', () => {
  test.use({ args: ['--allow-host', 'skein.test'], ignoreHTTPSErrors: true })

  test('says why, and what to do', async ({ page, server, context, transport, noise }) => {
    await test.step('a page that is no secure context', async () => {
      noise.push(/Cross-Origin-Opener-Policy header has been ignored/)
      await signIn(page, server)
      const [cookie] = await context.cookies(server.http)
      const url = server.http.replace('localhost', 'skein.test')
      await context.addCookies([{ name: cookie.name, value: cookie.value, url }])
      await openControl(page, url, 'websocket')
      await says(page, 'Not possible here')
      await expect(control(page)).toContainText(`this one is ${url}. Give Skein a certificate`)
      await expect(button(page, 'Turn on')).toBeHidden()
    })

    await test.step('a page whose certificate the browser does not trust', async () => {
      noise.push(/SSL certificate error/)
      await context.clearCookies()
      await context.grantPermissions(['notifications'], { origin: server.https })
      const token = String(new URL(await server.loginURL()).searchParams.get('token'))
      const response = await page.request.post(`${server.https}/login`, { form: { token }, maxRedirects: 0 })
      expect(response.status()).toBe(303)
      await openControl(page, server.https, transport)
      await button(page, 'Turn on').click()
      await expect(control(page).getByRole('status')).toContainText('it does not trust the page\'s certificate')
      await says(page, 'Off')
      await check(page, 'an untrusted certificate')
    })
  })
})

test.describe('a server that has it turned off', () => {
  test.use({ config: 'push: {off: true}\n' })

  test('says so', async ({ signedIn: page, server, transport }) => {
    await openControl(page, server.http, transport)
    await says(page, 'Not possible here')
    await expect(control(page)).toContainText('It is turned off in the configuration of the server')
  })
})
