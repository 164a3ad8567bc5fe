import { confirmStop, expect, lines, lives, only, openAgent, row, rows, state, test, toast } from '../fixtures/test.js'

test('one is stopped from the fleet, from its own page, from the command line, and not with a no', async ({ fleet: page, server, transport }) => {
  await test.step('one, from the fleet', async () => {
    const [agent] = await server.spawn('shell', '--name', 'sleeper', '--', 'sleep', '300')
    const [other] = await server.spawn('shell', '--name', 'other', '--', 'sleep', '300')
    await row(page, 'sleeper').getByRole('button', { name: 'Stop sleeper' }).click()
    await expect(page.getByRole('dialog', { name: 'Stop sleeper?' })).toBeVisible()
    expect(lives(agent.process.pid), 'nothing before the yes').toBe(true)
    await confirmStop(page)
    await expect(toast(page, 'sleeper is stopped')).toBeVisible()
    await expect(row(page, 'sleeper'), 'it is no longer among those at work').toHaveCount(0)
    await only(page, 'Ended')
    await expect(row(page, 'sleeper')).toContainText('Stopped')
    await expect(row(page, 'sleeper').getByRole('button', { name: 'Stop sleeper' }), 'there is nothing left to stop').toHaveCount(0)
    expect(lives(agent.process.pid)).toBe(false)
    expect(lives(other.process.pid)).toBe(true)
    expect(await server.agent('sleeper')).toMatchObject({ status: 'exited', reason: 'stopped', exit: { signal: 'SIGTERM' } })
    if (transport === 'webtransport') await expect.poll(() => server.raced(), 'it went as a datagram, too').toBeGreaterThan(0)
    else expect(await server.raced()).toBe(0)
  })

  await test.step('the dialog takes a no', async () => {
    await only(page, 'Current')
    const [agent] = await server.spawn('shell', '--name', 'spared', '--', 'sleep', '300')
    await row(page, 'spared').getByRole('button', { name: 'Stop spared' }).click()
    await page.getByRole('dialog', { name: 'Stop spared?' }).getByRole('button', { name: 'Cancel' }).click()
    await expect(page.getByRole('dialog')).toHaveCount(0)
    await expect(row(page, 'spared')).toContainText('Running')
    expect(lives(agent.process.pid)).toBe(true)
  })

  await test.step('what the command line stops is stopped on the page', async () => {
    await server.spawn('shell', '--name', 'remote', '--', 'sleep', '300')
    await expect(row(page, 'remote')).toContainText('Running')
    await server.cli('stop', 'remote')
    await expect(row(page, 'remote')).toHaveCount(0)
    await only(page, 'Ended')
    await expect(row(page, 'remote')).toContainText('Stopped')
  })

  await test.step('from its own page', async () => {
    const [agent] = await server.spawn('shell', '--name', 'farewell', '--', 'sh', '-c', 'trap "echo farewell; exit 0" TERM; echo up; while :; do sleep 0.05; done')
    await openAgent(page, server, agent.id, transport)
    await expect(lines(page).last()).toHaveText('up')
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await confirmStop(page)
    await expect(state(page)).toHaveText(/Stopped/)
    await expect(lines(page).filter({ hasText: 'farewell' })).toHaveCount(1) // its last output
    await expect(page.getByRole('listitem').filter({ hasText: 'Stop requested' })).toHaveCount(1)
    await expect(page.getByRole('listitem').filter({ hasText: 'Signal sent' })).toContainText('SIGTERM')
    await expect(page.getByRole('button', { name: 'Stop', exact: true })).toBeDisabled()
    expect(lives(agent.process.pid)).toBe(false)
  })
})

test.describe('one that does not listen', () => {
  test.use({ config: `agent_types:
  stubborn:
    kind: exec
    argv: [sh, -c, 'trap "" TERM; (echo child $(exec sh -c "echo \\$PPID"); while :; do sleep 0.1; done) & while :; do sleep 0.1; done']
    stop_grace: 400ms
` })

  test('several are stopped, and what does not listen is killed', { tag: '@both' }, async ({ fleet: page, server, transport }) => {
    await test.step('several at once, those selected and no other', async () => {
      const agents = await server.spawn('shell', '--name', 'crew', '-n', '4', '--', 'sleep', '300')
      await server.spawn('scripted', '--name', 'bystander', '--script', 'idle 1h')
      await expect(rows(page)).toHaveCount(5) // a row that appears moves those under the mouse
      for (const n of [1, 2, 3]) await row(page, `crew-${n}`).getByRole('checkbox').check()
      const bulk = page.getByRole('region', { name: 'Selection' })
      await expect(bulk).toContainText('3 agents selected')
      await bulk.getByRole('button', { name: 'Stop 3 agents', exact: true }).click()
      const ask = page.getByRole('dialog', { name: 'Stop 3 agents?' })
      await expect(ask.getByRole('listitem')).toHaveCount(3)
      await confirmStop(page)
      await expect(toast(page, '3 stopped')).toBeVisible()
      await expect(bulk).toBeHidden()
      for (const a of agents) expect(lives(a.process.pid), a.name).toBe(a.name === 'crew-4')
      await expect(row(page, 'crew-4')).toContainText('Running')
      await expect(row(page, 'bystander')).toContainText('Running')
      await only(page, 'Ended')
      for (const n of [1, 2, 3]) await expect(row(page, `crew-${n}`)).toContainText('Stopped')
    })

    await test.step('is killed with all its children, and that is said', async () => {
      const [agent] = await server.spawn('stubborn', '--name', 'mule')
      await openAgent(page, server, agent.id, transport)
      await expect(lines(page)).toHaveText([/^child \d+$/])
      const child = Number((await lines(page).first().textContent())?.split(' ')[1])
      expect(child).not.toBe(agent.process.pid)
      expect(lives(child)).toBe(true)

      await page.getByRole('button', { name: 'Stop', exact: true }).click()
      await confirmStop(page)
      await expect(toast(page, 'SIGKILL was needed')).toBeVisible()
      await expect(state(page)).toHaveText(/Stopped/)
      await expect(page.getByRole('listitem').filter({ hasText: 'SIGKILL' }).first()).toBeVisible()
      expect(lives(agent.process.pid)).toBe(false)
      expect(lives(child)).toBe(false)
      expect(await server.agent('mule')).toMatchObject({ status: 'exited', reason: 'stopped', exit: { signal: 'SIGKILL' } })
    })
  })
})
