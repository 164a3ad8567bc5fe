import { BROKEN, REFUSED, STOPPING, expect, live, test } from '../fixtures/test.js'

test('where a login link leads', async ({ page, server, request }) => {
  await test.step('a login link does not lead to another site', async () => {
    await page.goto(`${server.login}&next=${encodeURIComponent('//example.com/')}`)
    await expect(page).toHaveURL(`${server.http}/`)
  })

  await test.step('a login link leads where it says', async () => {
    await page.context().clearCookies()
    await server.spawn('scripted', '--script', 'idle 1h')
    await page.goto(`${await server.loginURL()}&next=${encodeURIComponent('/?q=here')}`)
    await expect(page).toHaveURL(`${server.http}/?q=here`)
    await expect(page.getByRole('searchbox', { name: /^Filter/ })).toHaveValue('here')
  })

  await test.step('skein login prints a URL that works, and its token is no cookie', async () => {
    await page.context().clearCookies()
    const url = (await server.cli('login')).match(/http:\S+/)?.[0] ?? ''
    await page.goto(url)
    await expect(page).toHaveURL(`${server.http}/`)
    await expect(page.getByRole('heading', { name: 'Fleet', level: 1 })).toBeVisible()
    // a login by cookie may not make links for others
    const answer = await page.request.post(`${server.http}/login/token`)
    expect(answer.status()).toBe(403)
    expect((await request.post(`${server.http}/login/token`)).status()).toBe(401)
  })
})

test('what a stranger gets, and a login URL once', async ({ page, server, browser, request, noise, transport }) => {
  await test.step('a stranger sees nothing', async () => {
    noise.push(REFUSED)
    for (const path of ['/', '/agents/aaaaaaaaaaaaa', '/agents/', '/static/style.css', '/static/fleet.js', '/stories', '/metrics', '/login', '/no/such/page']) {
      const response = await page.goto(`${server.http}${path}`)
      expect(response?.status(), path).toBe(401)
      await expect(page.getByRole('heading', { level: 1 }), path).toHaveText('You are not signed in')
      await expect(page.getByText('skein login'), path).toBeVisible()
      expect((await page.context().cookies()).map((c) => c.name).filter((name) => name !== 'skein_next'), path).toEqual([])
    }
  })

  await test.step('a stranger gets no connect document, no login token, no logout', async () => {
    for (const path of ['/connect', '/login/token', '/logout']) {
      const response = await request.post(`${server.http}${path}`)
      expect(response.status(), path).toBe(401)
      expect((await response.json()).error.data.kind, path).toBe('unauthorized')
    }
    for (const Authorization of ['Bearer ', 'Bearer nonsense', `Bearer ${server.token}x`]) {
      expect((await request.post(`${server.http}/connect`, { headers: { Authorization } })).status()).toBe(401)
    }
  })

  await test.step('only the health of a server is for everybody', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const response = await request.get(`${server.http}${path}`)
      expect(response.status(), path).toBe(200)
      expect(await response.text(), path).toBe('ok\n')
    }
  })

  await test.step('another host name is refused', async () => {
    const response = await request.get(`${server.http}/healthz`, { headers: { Host: 'rebound.example' } })
    expect(response.status()).toBe(421)
  })

  await test.step('the login URL works once', async () => {
    await page.context().clearCookies()
    await page.goto(server.login)
    await expect(page).toHaveURL(`${server.http}/`)
    await expect(page.getByRole('heading', { name: 'Fleet', level: 1 })).toBeVisible()
    await live(page, transport)

    const cookies = await page.context().cookies()
    expect(cookies).toHaveLength(1)
    expect(cookies[0]).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' })
    expect(await page.evaluate(() => document.cookie), 'no script sees it').toBe('')

    const other = await browser.newContext()
    const second = await other.newPage()
    await second.goto(server.login)
    await expect(second.getByRole('heading', { level: 1 })).toHaveText('This was refused')
    await expect(second.getByText('was used before')).toBeVisible()
    expect(await other.cookies()).toEqual([])
    await other.close()
  })

  await test.step('a stranger who signs in arrives at the page that was asked for', async () => {
    await page.context().clearCookies()
    const [agent] = await server.spawn('scripted', '--script', 'idle 1h', '--name', 'asked-for')
    await page.goto(`${server.http}/agents/${agent.id}`)
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are not signed in')
    await page.goto((await server.cli('login')).trim())
    await expect(page).toHaveURL(`${server.http}/agents/${agent.id}`)
    await live(page, transport)
    await page.goto(await server.loginURL()) // once
    await expect(page).toHaveURL(`${server.http}/`)
  })
})

test('Sign out ends the login, its session, and what its other tabs show', async ({ fleet: page, server, transport, noise }) => {
  noise.push(REFUSED)
  const other = await page.context().newPage()
  await other.goto(`${server.http}/tasks`)
  await live(other, transport)
  const [cookie] = await page.context().cookies()
  await expect.poll(async () => (await server.sessions())[transport]).toBe(2)

  await page.getByRole('button', { name: 'Account' }).click()
  await page.getByRole('dialog', { name: 'Account' }).getByRole('button', { name: 'Sign out' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are signed out')
  await expect(other.getByRole('banner').getByRole('button', { name: /^Offline/ })).toBeVisible()
  await expect(other.getByRole('status').filter({ hasText: /signed out/i })).toBeVisible()
  await expect.poll(async () => (await server.sessions())[transport]).toBe(0)
  expect((await fetch(server.http, { headers: { Cookie: `skein_login=${cookie.value}` } })).status).toBe(401)
  await other.getByRole('button', { name: 'Load again' }).click()
  await expect(other.getByRole('heading', { level: 1 })).toHaveText('You are not signed in')
})

test('a login outlives a restart of the server', async ({ fleet: page, server, transport, noise }) => {
  noise.push(BROKEN, STOPPING)
  await server.stop()
  await server.start()
  await page.goto(server.http)
  await live(page, transport)
})
