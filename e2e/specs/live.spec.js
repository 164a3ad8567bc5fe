import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { badge, dialog, expect, lines, live, only, openAgent, output, row, rows, state, test, toast } from '../fixtures/test.js'

/** Prints its input. */
const PARROT = 'say ready\nrepeat forever\nread\nsay said ${reply}\nend'

test('a question, output and input go over a session', { tag: '@both' }, async ({ fleet: page, server, transport }) => {
  await test.step('an agent that asks comes first, and goes on when it is answered', async () => {
    await server.spawn('shell', '--name', 'older', '--', 'sleep', '300')
    await server.spawn('scripted', '--name', 'asker', '--script', 'say thinking\nask Shall I?\nsay answered: ${reply}\nidle 1h')
    await server.spawn('shell', '--name', 'newer', '--', 'sleep', '300')

    const asker = row(page, 'asker')
    await expect(page.getByRole('rowgroup', { name: 'Needs you' }).getByRole('link')).toHaveText(['asker'])
    await expect(rows(page).first()).toContainText('asker')
    await expect(asker).toContainText('Shall I?')
    await expect(page.getByText('3 agents, 3 alive, 1 needs you')).toBeVisible()
    await expect(page).toHaveTitle(/^\(1\)/)

    await asker.getByRole('textbox', { name: 'Answer asker' }).fill('yes, do')
    await asker.getByRole('button', { name: 'Send' }).click()
    await expect(asker).toContainText('answered: yes, do')
    await expect(page.getByRole('rowgroup', { name: 'Needs you' })).toBeHidden()
    await expect(page.getByText('3 agents, 3 alive', { exact: true })).toBeVisible()
    expect(await server.agent('asker')).toMatchObject({ activity: 'idle', last_line: 'answered: yes, do' })
  })

  await test.step('output is there as it is printed, on every page that looks', async () => {
    const [{ id }] = await server.spawn('scripted', '--name', 'parrot', '--script', PARROT)
    const second = await page.context().newPage()
    await openAgent(page, server, id, transport)
    await openAgent(second, server, id, transport)
    const fleet = await page.context().newPage()
    await fleet.goto(server.http)
    await live(fleet, transport)
    for (const word of ['one', 'two', 'three']) {
      await server.cli('send', 'parrot', word)
      for (const p of [page, second]) await expect(lines(p).last()).toHaveText(`said ${word}`)
      await expect(row(fleet, 'parrot')).toContainText(`said ${word}`)
    }
    await server.cli('summary', '--agent', 'parrot', 'Repeating what it hears')
    for (const p of [page, second]) await expect(p.locator('#agent-head')).toContainText('Repeating what it hears')
    await expect(row(fleet, 'parrot')).toContainText('Repeating what it hears')
    await expect(row(fleet, 'parrot'), 'the last line stays').toContainText('said three')
    await fleet.getByRole('link', { name: 'Wall' }).first().click()
    await expect(fleet.getByRole('listitem').filter({ hasText: 'parrot' })).toContainText('Repeating what it hears')
    await server.cli('summary', '--agent', 'parrot')
    for (const p of [page, second, fleet]) await expect(p.getByText('Repeating what it hears')).toHaveCount(0)
    const whole = ['ready', 'one', 'said one', 'two', 'said two', 'three', 'said three']
    for (const p of [page, second]) await expect(lines(p)).toHaveText(whole)
    expect(await server.output(id)).toBe('ready\nsaid one\nsaid two\nsaid three\n')
    await second.close()
    await fleet.close()
  })

  await test.step('input reaches a process, and its answer comes back', async () => {
    const [{ id }] = await server.spawn('shell', '--name', 'cat', '--', 'cat')
    await openAgent(page, server, id, transport)
    const box = page.getByRole('textbox', { name: /standard input/ })
    for (const text of ['hello', 'snow ☃ and 鴨', '  <b>spaces & signs</b>  ']) {
      await box.fill(text)
      await box.press('Enter')
      await expect(box).toHaveValue('')
      await expect(lines(page).last()).toHaveText(text)
    }
    await expect(lines(page)).toHaveCount(6) // each as input and as output
    await box.press('ArrowUp')
    await expect(box).toHaveValue('  <b>spaces & signs</b>  ')
    expect(await server.output(id)).toBe('hello\nsnow ☃ and 鴨\n  <b>spaces & signs</b>  \n')

    await page.getByRole('button', { name: 'Send EOF' }).click()
    await expect(state(page)).toHaveText(/Completed/)
    await expect(box).toBeDisabled()
    expect(await server.agent('cat')).toMatchObject({ status: 'exited', reason: 'completed', exit: { code: 0 } })
  })
})

test('the page of an agent, also without script', async ({ signedIn: page, server, browser, transport }) => {
  await test.step('following goes along, pausing stays, the search finds', async () => {
    const [{ id }] = await server.spawn('scripted', '--name', 'talker', '--script',
      'flood 100 early ${i}\nread\nsay a needle here\nflood 200 late ${i}\nsay the needle, the Needle\nidle 1h')
    await openAgent(page, server, id, transport)
    const box = output(page)
    const gap = () => box.evaluate((el) => Math.round(el.scrollHeight - el.scrollTop - el.clientHeight))
    await expect(lines(page).last()).toHaveText('early 100')
    await expect.poll(gap).toBeLessThan(24)

    const follow = page.getByRole('button', { name: 'Following' })
    await follow.click()
    await expect(page.getByRole('button', { name: 'Paused' })).toHaveAttribute('aria-pressed', 'false')
    const top = await box.evaluate((el) => el.scrollTop)
    await server.cli('send', 'talker', 'go')
    await expect(lines(page).last()).toHaveText('the needle, the Needle')
    expect(await box.evaluate((el) => el.scrollTop)).toBe(top)
    const jump = page.getByRole('button', { name: /^\d+ new lines$/ })
    await expect(jump).toHaveText(/203 new lines/) // the input is one of them
    await jump.click()
    await expect.poll(gap).toBeLessThan(24)
    await expect(follow).toHaveAttribute('aria-pressed', 'true')

    const search = page.getByRole('searchbox', { name: 'Search the output' })
    await search.fill('needle')
    await expect(page.getByRole('search').getByRole('status')).toHaveText('2 of 2') // lines
    await page.getByRole('button', { name: 'Next match' }).click()
    await expect(page.getByRole('search').getByRole('status')).toHaveText('1 of 2')
    await expect(lines(page).filter({ hasText: 'a needle here' })).toBeInViewport()
    await search.fill('no such thing')
    await expect(page.getByRole('search').getByRole('status')).toHaveText('No match')
  })

  await test.step('binary, colours, long lines and both streams are shown', async () => {
    // Output that is printed at once may come as one piece; reading lines in between keeps the pieces apart.
    const [{ id }] = await server.spawn('shell', '--name', 'mixed', '--', 'sh', '-c',
      `printf '\\033[31mred\\033[0m plain\\n'; echo problem >&2; read x; head -c 20000 /dev/zero | tr '\\0' x; echo; read x; printf '\\377\\376\\000\\001'`)
    await openAgent(page, server, id, transport)
    const more = () => page.getByRole('textbox', { name: /standard input/ }).press('Enter')
    await expect(lines(page).filter({ hasText: 'red plain' })).toHaveCount(1)
    await expect(lines(page).filter({ hasText: 'problem' })).toHaveCount(1)
    await more()
    await expect.poll(async () => (await lines(page).filter({ hasText: /^x+$/ }).allTextContents()).join('').length).toBe(20000)
    await more()
    await expect(lines(page).filter({ hasText: 'Binary, 4 B · ff fe 00 01' })).toHaveCount(1)
    await expect(state(page)).toHaveText(/Completed/)
  })

  await test.step('the agent\'s own page asks, too', async () => {
    const [{ id }] = await server.spawn('scripted', '--name', 'asker', '--script', 'ask Which one?\nsay took ${reply}')
    await openAgent(page, server, id, transport)
    const banner = page.getByRole('region', { name: 'Needs you' })
    await expect(banner).toContainText('Which one?')
    await banner.getByRole('textbox', { name: 'Answer' }).fill('the left')
    await banner.getByRole('button', { name: 'Send' }).click()
    await expect(banner).toBeHidden()
    await expect(lines(page).filter({ hasText: 'took the left' })).toHaveCount(1)
    await expect(page.getByRole('list').filter({ hasText: 'Spawned' }).getByRole('listitem').first()).toContainText('Completed')
  })

  await test.step('a button whose request is under way stays disabled, whatever the agent does', async () => {
    const [{ id }] = await server.spawn('scripted', '--name', 'chooser', '--script', 'read\nask Which one?\nread')
    await openAgent(page, server, id, transport)
    const again = page.getByRole('button', { name: 'Spawn again' })
    await again.evaluate((b) => { // as its handler does
      b.dataset.busy = ''
      b.disabled = true
    })
    await server.cli('send', 'chooser', 'go')
    await expect(page.getByRole('region', { name: 'Needs you' })).toContainText('Which one?')
    await expect(again).toBeDisabled()
  })

  await test.step('a page without script shows what was printed', async () => {
    const [{ id }] = await server.spawn('scripted', '--name', 'finished', '--script', 'say one\nsay two')
    const context = await browser.newContext({ javaScriptEnabled: false })
    const plain = await context.newPage()
    await plain.goto(await server.loginURL())
    await plain.getByRole('button', { name: 'Sign in' }).click()
    await expect(row(plain, 'finished')).toContainText('Completed')
    await expect(row(plain, 'finished')).toContainText('two')
    await plain.goto(`${server.http}/agents/${id}`)
    await expect(lines(plain)).toHaveText(['one', 'two', /Completed/])
    await context.close()
  })
})

test('the filters and the order, what a process uses, and paper', async ({ fleet: page, server }) => {
  await test.step('the filters and the order hold what they say', async () => {
    await server.spawn('shell', '--name', 'alpha', '--label', 'team=core', '--', 'sh', '-c', 'echo marmalade; sleep 300')
    await server.spawn('shell', '--name', 'beta', '--label', 'team=web', '--', 'sleep', '300')
    await server.spawn('scripted', '--name', 'gamma', '--script', 'exit 0')
    const names = () => rows(page).getByRole('link').allInnerTexts()
    await expect(row(page, 'gamma')).toContainText('Completed')
    await expect(row(page, 'alpha')).toContainText('marmalade')
    expect(await names()).toEqual(['beta', 'alpha', 'gamma']) // the newest first, and below what is alive what has ended

    await page.getByRole('columnheader', { name: 'Agent' }).getByRole('link').click()
    await expect(page.getByRole('columnheader', { name: 'Agent' })).toHaveAttribute('aria-sort', 'ascending')
    await expect.poll(names).toEqual(['alpha', 'beta', 'gamma'])

    await page.getByRole('searchbox', { name: /^Filter/ }).fill('marma')
    await expect.poll(names).toEqual(['alpha'])
    await page.getByRole('searchbox', { name: /^Filter/ }).fill('nothing like it')
    await expect(page.getByRole('heading', { name: 'No agent matches' })).toBeVisible()
    await page.getByRole('link', { name: 'Clear the filter' }).click()
    await page.getByRole('combobox', { name: 'Label' }).selectOption('team=web')
    await expect.poll(names).toEqual(['beta'])
    await expect(page).toHaveURL(/[?&]label=team%3Dweb(&|$)/)
    await page.getByRole('combobox', { name: 'Label' }).selectOption('Every label')
    await only(page, 'Working')
    await expect.poll(names).toEqual(['alpha', 'beta'])
    await page.getByRole('combobox', { name: 'Type' }).selectOption('scripted')
    await expect(page.getByRole('heading', { name: 'No agent matches' })).toBeVisible()

    const url = page.url() // the URL has the whole filter
    await page.goto(url)
    await expect(page.getByRole('heading', { name: 'No agent matches' })).toBeVisible()
    await expect(badge(page)).toBeVisible()
  })

  await test.step('status, use and the last line follow the process', async () => {
    await page.goto(server.http)
    await server.spawn('shell', '--name', 'busy', '--', 'sh', '-c', 'echo at work; while :; do :; done')
    const busy = row(page, 'busy')
    await expect(busy).toContainText('Running')
    await expect(busy).toContainText('at work')
    await expect(busy).toContainText(/CPU\s*([1-9]\d|1\d\d)%/) // the loop takes most of a core
    await expect(busy).toContainText(/Memory\s*[\d.]+ [KM]iB/)
    await server.cli('stop', 'busy')
    await only(page, 'Ended')
    await expect(busy).toContainText('Stopped')
    await only(page, 'Current')
  })

  await test.step('paper has every agent, with what it asks', async () => {
    await server.spawn('scripted', '--name', 'asker', '-n', '60', '--script', 'ask May I?')
    await expect(page.getByText('60 need you')).toBeVisible()
    await page.getByRole('button', { name: 'Show 40 more' }).click()
    const printed = await page.evaluate(() => {
      dispatchEvent(new Event('beforeprint')) // what is in the page when the listeners have returned is printed
      return [...document.querySelectorAll('[role="rowgroup"][aria-label="Needs you"] .agent')].map((row) =>
        `${row.getAttribute('data-need')} ${row.querySelector('.pick')?.getAttribute('aria-label')}: ${row.querySelector('.why-text')?.textContent}`)
    })
    expect(printed.sort()).toEqual(Array.from({ length: 60 }, (_, i) => `question Select asker-${i + 1}: May I?`).sort())
    await page.evaluate(() => dispatchEvent(new Event('afterprint')))
  })
})

test.describe('the groups', () => {
  test.use({ config: `agent_types:
  looper: {kind: exec, argv: [sh, -c, "echo at work; echo no licence >&2; exit 3"], restart: {mode: delay, attempts: 1, interval: 1h, delay: 10ms}}
  resize: {kind: exec, argv: [sh, -c, "cat; sleep 300"], tasks: process}
` })

  test('who waits longest, what fails, what is news, and what is not at work', async ({ fleet: page, server }) => {
    const part = (name) => page.getByRole('rowgroup', { name, exact: true })
    const names = (name) => part(name).locator('.agent .name')
    await server.spawn('scripted', '--name', 'second', '--script', 'read\nask Or that?\nidle 1h')
    await server.spawn('scripted', '--name', 'first', '--script', 'ask This?\nread\nask And this?\nidle 1h')
    await expect(names('Needs you')).toHaveText(['first'])
    await server.cli('send', 'second', 'go')
    await server.spawn('looper', '--name', 'looping')
    await server.spawn('scripted', '--name', 'news', '--script', 'say done')
    await server.spawn('scripted', '--name', 'done', '--script', 'say done')
    await server.spawn('shell', '--name', 'gone', '--', 'sleep', '300')
    await server.cli('stop', 'gone')
    await server.cli('task', 'submit', '--type', 'resize', '--input', 'a picture')
    await expect(names('Needs you'), 'the newest is not the first').toHaveText(['first', 'second'])
    await expect(row(page, 'first').locator('.why-wait')).toHaveText(/^waits \d+s$/)
    await expect(names('Failing')).toHaveText(['looping'])
    await expect(row(page, 'looping')).toContainText(/Crash loop.*1 restart.*no licence/)
    await expect(names('Finished, unseen')).toHaveText(['done', 'news'])
    await expect(page.getByRole('navigation', { name: 'Filter by group' }).getByRole('link')).toHaveText([/Current ?5/, /Needs you ?2/, /Failing ?1/, /Working ?0/, /Finished ?2/, /For tasks ?1/, /Ended ?1/])

    await row(page, 'first').getByRole('textbox', { name: 'Answer first' }).fill('yes')
    await row(page, 'first').getByRole('button', { name: 'Send' }).click()
    await expect(names('Working')).toHaveText(['first'])
    await server.cli('send', 'first', 'go')
    await expect(names('Needs you'), 'its new question waits from now').toHaveText(['second', 'first'])

    await row(page, 'looping').getByRole('button', { name: 'Start now: looping' }).click()
    await expect(row(page, 'looping')).toContainText('2 restarts')
    expect((await server.agent('looping')).restarts).toBe(2)

    await row(page, 'news').getByRole('link', { name: 'news', exact: true }).click() // it is seen on its own page
    await expect(state(page)).toHaveText(/Completed/)
    await expect.poll(() => page.evaluate(() => localStorage.getItem('skein.dismissed') ?? '')).toContain((await server.agent('news')).id)
    await page.goBack()
    await expect(names('Finished, unseen')).toHaveText(['done'])
    await row(page, 'done').hover()
    await row(page, 'done').getByRole('button', { name: 'Dismiss done' }).click()
    await expect(part('Finished, unseen')).toBeHidden()
    await only(page, 'Ended')
    await expect(names('Ended')).toHaveText(['gone', 'done', 'news'])
    await expect(part('Ended')).toContainText('The last 1000 that ended are remembered')

    await part('Ended').getByRole('button', { name: 'Remove 3 ended agents' }).click()
    await expect(dialog(page, 'Remove 3 ended agents?').getByRole('button', { name: 'Cancel' })).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(dialog(page, 'Remove')).toHaveCount(0)
    await expect(names('Ended')).toHaveText(['gone', 'done', 'news'])
    const news = (await server.agent('news')).id
    await row(page, 'news').getByRole('checkbox').check()
    const bulk = page.getByRole('region', { name: 'Selection' })
    await expect(bulk.getByRole('button', { name: 'Stop' })).toBeHidden()
    await bulk.getByRole('button', { name: 'Remove' }).click()
    await dialog(page, 'Remove news?').getByRole('button', { name: 'Remove' }).click()
    await expect(toast(page, 'news is removed')).toBeVisible()
    await expect(names('Ended')).toHaveText(['gone', 'done'])
    await expect(bulk).toBeHidden()
    expect((await page.request.get(`${server.http}/agents/${news}`)).status()).toBe(404)

    const repo = join(server.dir, 'repo')
    execFileSync('sh', ['-c', 'git init -q "$0" && git -C "$0" -c user.name=Ada -c user.email=ada@localhost commit -q --allow-empty -m begin', repo])
    await server.spawn('shell', '--name', 'kept', '--cwd', repo, '--folder', 'worktree', '--', 'sh', '-c', 'echo work >notes; echo ready; sleep 300')
    await expect.poll(async () => (await server.agent('kept')).last_line).toBe('ready')
    await server.cli('stop', 'kept')
    await part('Ended').getByRole('button', { name: 'Remove 3 ended agents' }).click()
    await dialog(page, 'Remove 3 ended agents?').getByRole('button', { name: 'Remove 3 agents' }).click()
    const refused = dialog(page, '1 of 3 agents was not removed')
    await expect(refused).toContainText('2 agents are removed.')
    await expect(refused).toContainText('The worktree of agent kept')
    await refused.getByRole('button', { name: 'Close' }).last().click()
    await expect(names('Ended')).toHaveText(['kept'])
    await only(page, 'For tasks')
    await expect(page).toHaveURL(/\?state=tasks$/)
    await expect(names('For tasks')).toHaveCount(1)
    await page.reload()
    await expect(names('For tasks')).toHaveCount(1)
    await expect(page.locator('.list .agent')).toHaveCount(1)

    await page.goto(`${server.http}/tasks`)
    await expect(badge(page)).toHaveAccessibleName(/^Web/)
    await page.keyboard.press('g')
    await expect(page).toHaveURL(`${server.http}/agents/${(await server.agent('second')).id}#question`)
    await expect(page.getByRole('textbox', { name: 'Answer' })).toBeFocused()
    await page.keyboard.type('that')
    await page.keyboard.press('Enter')
    await expect(page.getByRole('region', { name: 'Needs you' })).toBeHidden()
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    await expect(page).toHaveURL(`${server.http}/agents/${(await server.agent('first')).id}#question`)
    await server.cli('send', 'first', 'yes')
    await expect(page.getByRole('region', { name: 'Needs you' })).toBeHidden()
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    await expect(toast(page, 'Nobody waits for you')).toBeVisible()
  })
})

test('what is shown is saved as a view, found again, renamed, deleted and put back', async ({ fleet: page, server, transport }) => {
  await server.spawn('shell', '--name', 'builds', '--', 'sleep', '300')
  await server.spawn('scripted', '--name', 'asks', '--script', 'ask Which?')
  const views = page.getByRole('navigation', { name: 'Saved views' })
  const saved = dialog(page, 'Saved views')
  const save = async (/** @type {string} */ name) => {
    await saved.getByRole('textbox', { name: 'Save the filters' }).fill(name)
    await page.keyboard.press('Enter')
  }
  await expect(row(page, 'asks')).toBeVisible()
  await page.keyboard.press('v')
  await expect(saved).toContainText('No view is saved yet')
  await save('All')
  await expect(saved).toContainText('Filter the fleet first')
  await page.keyboard.press('Escape')
  await expect(views).toBeHidden()

  await page.getByLabel('Type', { exact: true }).selectOption('shell')
  await page.getByRole('button', { name: 'Saved views' }).click()
  await save('My  shells')
  await expect(saved).toContainText('It is saved.')
  await check(page)
  await page.keyboard.press('Escape')
  await expect(views.getByRole('link')).toHaveText(['My shells'])
  await expect(views.getByRole('link')).toHaveAttribute('aria-current', 'true')
  await page.getByLabel('Type', { exact: true }).selectOption('')
  await expect(views.getByRole('link')).not.toHaveAttribute('aria-current', 'true')

  await page.goto(`${server.http}/tasks`)
  await live(page, transport)
  await page.keyboard.press('Control+k')
  await page.keyboard.type('my shells')
  await page.getByRole('option', { name: /My shells/ }).hover()
  await page.mouse.down()
  await page.waitForTimeout(1000) // until what is found in outputs has come, which does not take the option from under the pointer
  await page.mouse.up()
  await expect(page).toHaveURL(`${server.http}/?type=shell`)
  await expect(rows(page)).toHaveCount(1)
  await live(page, transport)

  await page.keyboard.press('v')
  const name = saved.getByRole('textbox', { name: /^Name of the view/ })
  await name.fill('Shells')
  await saved.getByRole('button', { name: /^Delete/ }).click() // it is renamed first, and stays under the pointer
  await expect(saved).toContainText('“Shells” is deleted.')
  await expect(views).toBeHidden()
  await expect(saved.getByRole('button', { name: 'Put it back' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(name).toHaveValue('Shells')
  await page.keyboard.press('Escape')
  await page.reload()
  await expect(views.getByRole('link')).toHaveText(['Shells'])
})

test('Space looks into a row, and what is written there arrives', async ({ fleet: page, server }) => {
  await server.spawn('shell', '--name', 'screen', '--tty', '--', 'sh', '-c', 'stty -echo; printf "\\033[2J\\033[H\\033[7mthe top\\033[0m\\n\\nthird line"; read line; printf "\\033[2J\\033[Hgot %s" "$line"; exec sleep 300')
  await server.spawn('scripted', '--name', 'parrot', '--script', PARROT)
  await server.spawn('scripted', '--name', 'crowd', '-n', '60', '--script', 'idle 1h')
  const peek = page.locator('.c-peek')
  const box = page.getByRole('searchbox', { name: /^Filter/ })
  await box.fill('parrot')
  await expect(rows(page)).toHaveCount(1)
  await box.press('Enter')
  await page.keyboard.press(' ')
  const parrot = page.getByRole('region', { name: 'The last lines of parrot' })
  await expect(parrot).toContainText('ready')
  await box.fill('')
  await expect(row(page, 'parrot'), 'it is open wherever it stands').toHaveCount(1)
  await expect(parrot).toContainText('ready')
  const reply = page.getByRole('textbox', { name: 'Write a line to parrot' })
  await reply.fill('a draft')
  await server.cli('send', 'parrot', 'hello')
  await expect(parrot, 'it goes on while it is open').toContainText('said hello')
  await server.cli('pause', 'parrot') // the server renders the row again
  await expect(row(page, 'parrot').locator('.badge')).toHaveText('Paused')
  await expect(reply, 'which takes nothing from who writes').toHaveValue('a draft')
  await expect(reply).toBeFocused()
  await reply.press('Enter')
  await expect(parrot).toContainText('said a draft')
  await expect(reply).toHaveValue('')
  const [, below] = await page.evaluate(() => [...document.querySelectorAll('.agent')].filter((el) => el.matches('[data-open], [data-open] + .agent')).map((el) => el.getBoundingClientRect().toJSON()))
  const open = await row(page, 'parrot').boundingBox()
  if (below) expect(Math.abs((open?.y ?? 0) + (open?.height ?? 0) - below.y), 'the next row begins where it ends').toBeLessThan(2)
  await check(page, 'an open row')

  await reply.press('Escape')
  await expect(peek).toHaveCount(0)
  await expect(page.getByRole('link', { name: 'parrot', exact: true })).toBeFocused()
  await page.keyboard.press(' ')
  await expect(parrot).toContainText('said a draft')
  await box.fill('screen')
  await expect(peek, 'what the filter hides is closed').toHaveCount(0)
  await box.press('Enter')
  await page.keyboard.press(' ')
  const screen = page.getByRole('region', { name: 'The screen of screen' })
  await expect(screen).toHaveText('the top\n\nthird line')
  await page.getByRole('textbox', { name: 'Type into the terminal of screen' }).fill('it')
  await page.keyboard.press('Enter')
  await expect(screen).toHaveText('got it')
  await box.fill('')
  await row(page, 'crowd-60').getByRole('link').focus()
  await page.keyboard.press(' ')
  await expect(peek, 'one row at a time').toHaveCount(1)
  await expect(peek).toContainText('It has printed nothing.')
  await page.keyboard.press(' ')
  await expect(peek).toHaveCount(0)
})
