import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../fixtures/axe.js'
import { dialog, expect, live, only, test } from '../fixtures/test.js'

/** @param {import('@playwright/test').Page} page */
const cells = (page) => page.getByRole('list', { name: 'Agents' }).getByRole('listitem')

/** @param {import('@playwright/test').Page} page @param {string} name */
const cell = (page, name) => cells(page).filter({ has: page.getByRole('link', { name, exact: true }) })

/** What an agent's cell shows. @param {import('@playwright/test').Page} page @param {string} name */
const shown = (page, name) => page.getByRole('group', { name: `What ${name} shows`, exact: true })

/** @param {import('../fixtures/server.js').Server} server @param {string} name @param {string} script in a terminal */
const terminal = (server, name, script) => server.spawn('shell', '--name', name, '--tty', '--', 'sh', '-c', script)

/** Prints some ten megabytes a second. */
const FLOOD = 'while :; do seq 1 150000; sleep 0.1; done'

/**
 * How long the frames of a page took, in milliseconds: the median, one of a hundred, the longest.
 * @param {import('@playwright/test').Page} page
 * @param {number} ms
 */
const frames = (page, ms) => page.evaluate(async (ms) => {
  const took = []
  let last = await new Promise(requestAnimationFrame)
  for (const end = performance.now() + ms; performance.now() < end;) {
    const now = await new Promise(requestAnimationFrame)
    took.push(now - last)
    last = now
  }
  took.sort((a, b) => a - b)
  const at = (/** @type {number} */ p) => Number(took[Math.min(took.length - 1, Math.floor(took.length * p))].toFixed(1))
  return { frames: took.length, p50: at(0.5), p99: at(0.99), longest: at(1) }
}, ms)

/** The processor time of a process, in seconds. @param {number} pid */
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const ACP = `agent_types:
  helper:
    kind: acp
    argv: [node, ${JSON.stringify(join(import.meta.dirname, '../fixtures/acp-agent.js'))}]
    permissions: {otherwise: ask}
`

test.describe('the wall', () => {
  test.use({ config: ACP })

  test('shows what thirty agents show, each in its kind, and a flood holds up none', { tag: '@both' }, async ({ fleet: page, server, transport }) => {
    const said = await server.spawn('shell', '--name', 'said', '-n', '30', '--', 'sh', '-c', 'echo "this is $SKEIN_AGENT_ID"; while read -r x; do echo "heard $x"; done')
    await server.spawn('shell', '--name', 'flood', '--', 'sh', '-c', FLOOD)
    await server.spawn('shell', '--name', 'ends', '--', 'sh', '-c', "printf 'it is \\033[31mred\\033[0m\\n'; echo oops >&2; read -r x")
    await terminal(server, 'screen', "stty -echo; printf '\\033[2J\\033[3;5H\\033[1;32mGREEN\\033[24;1H\\033[0mbottom'; read -r x; printf '\\033[1;1Htop'; read -r x")
    await server.spawn('helper', '--name', 'helper')

    await only(page, 'Working')
    await page.getByRole('link', { name: 'Show on the wall' }).click()
    await expect(page).toHaveURL(/\/wall\?state=working$/)
    await live(page, transport)
    await expect(cells(page)).toHaveCount(34)
    await only(page, 'Alive')
    await expect(page).toHaveURL(/\/wall$/)
    await page.keyboard.press('-') // all of them are in sight
    await expect(page).toHaveURL(/\/wall\?size=small$/)
    for (let i = 1; i <= 30; i++) await expect(shown(page, `said-${i}`)).toHaveText(`this is ${said[i - 1].id}`)
    await expect(shown(page, 'flood')).toContainText(/\d{10}/)

    const words = shown(page, 'screen').locator('.cell-row').nth(2)
    await expect(words).toHaveText('    GREEN')
    await expect(words.locator('span')).toHaveClass('a-b f2')
    await expect(shown(page, 'screen').locator('.cell-row')).toHaveCount(24)
    await server.cli('send', 'screen', '')
    await expect(shown(page, 'screen').locator('.cell-row').first()).toHaveText('top')

    await server.cli('send', 'helper', 'hello')
    await expect(shown(page, 'helper')).toContainText('hello')
    await server.cli('send', 'helper', 'run make')
    await expect(cell(page, 'helper').getByRole('link', { name: 'Answer helper' })).toBeVisible()
    await expect(page.locator('#summary')).toHaveText('34 agents, 1 needs you')

    for (let i = 0; i < 3; i++) { // while one floods
      const flood = await shown(page, 'flood').innerText()
      await server.cli('send', `said-${7 * i + 1}`, `word ${i}`)
      await expect(shown(page, `said-${7 * i + 1}`)).toContainText(`heard word ${i}`)
      await expect(shown(page, 'flood'), 'it goes on').not.toHaveText(flood)
    }
    await expect(cell(page, 'ends').locator('.f1')).toHaveText('red')
    await expect(cell(page, 'ends').locator('[data-k="err"]')).toHaveText('oops')
    await check(page, 'the wall')

    const before = await cells(page).getByRole('link').allInnerTexts()
    await server.cli('send', 'ends', '')
    await expect(cell(page, 'ends')).toContainText('Completed')
    await expect(shown(page, 'ends')).toContainText('it is red')
    await server.spawn('scripted', '--name', 'newcomer', '--script', 'say here I am\nask May I?')
    await expect(shown(page, 'newcomer')).toContainText('here I am')
    expect((await cells(page).getByRole('link').allInnerTexts()).filter((name) => name !== 'Answer'), 'nothing has moved').toEqual([...before.filter((name) => name !== 'Answer'), 'newcomer'])
    await check(page, 'the wall, with one that has ended')
    await cell(page, 'newcomer').getByRole('textbox', { name: 'Answer newcomer' }).fill('yes')
    await cell(page, 'newcomer').getByRole('button', { name: 'Send' }).click()
    await expect(cell(page, 'newcomer').getByRole('textbox')).toHaveCount(0)
  })
})

test('keys go from cell to cell, the filter stands in the address', async ({ fleet: page, server, transport }) => {
  await server.spawn('scripted', '--name', 'cell', '-n', '40', '--script', 'say it works\nidle 1h')
  await server.spawn('scripted', '--name', 'other', '--label', 'team=core', '--script', 'say needle\nidle 1h')
  await server.spawn('scripted', '--name', 'third', '--script', 'say needle\nask Which one?')
  await page.getByRole('checkbox', { name: 'Select third', exact: true }).check()
  await page.getByRole('checkbox', { name: 'Select other', exact: true }).check()
  await page.getByRole('region', { name: 'Selection' }).getByRole('link', { name: 'Show on the wall' }).click()
  await live(page, transport)
  await expect(cells(page).getByRole('link')).toHaveText(['third', 'other'])
  await expect(page.getByText('2 agents were chosen.')).toBeVisible()
  await page.getByRole('link', { name: 'Show all that are alive' }).click()
  await expect(cells(page)).toHaveCount(42)

  await page.keyboard.press('ArrowRight')
  await expect(page.locator(':focus')).toHaveText('cell-1')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowDown')
  await expect(page.locator(':focus'), 'of four in a row').toHaveText('cell-6')
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowUp')
  await expect(page.locator(':focus')).toHaveText('cell-1')
  await page.keyboard.press('s')
  await expect(dialog(page, 'Stop cell-1?')).toBeVisible()
  await page.keyboard.press('Escape')
  await page.keyboard.press('End')
  await expect(page.locator(':focus')).toHaveText('third')
  await expect(page.locator(':focus')).toBeInViewport()
  await page.keyboard.press('a')
  await expect(page.getByRole('textbox', { name: 'Answer third' })).toBeFocused()
  await page.keyboard.press('Escape')

  await page.keyboard.press('/')
  await page.keyboard.type('needle')
  await expect(cells(page).getByRole('link')).toHaveText(['other', 'third'])
  await expect(page).toHaveURL(/\/wall\?q=needle$/)
  await page.getByRole('combobox', { name: 'Label' }).selectOption('team=core')
  await expect(cells(page).getByRole('link')).toHaveText(['other'])
  await page.reload()
  await live(page, transport)
  await expect(cells(page).getByRole('link')).toHaveText(['other'])
  await expect(shown(page, 'other')).toContainText('needle')
  await page.getByRole('searchbox').fill('nowhere')
  await expect(page.getByRole('heading', { name: 'No agent to show' })).toBeVisible()
  await check(page, 'a wall without a cell')
  await page.getByRole('link', { name: 'Clear the filter' }).click()
  await expect(cells(page)).toHaveCount(42)
  await page.keyboard.press('Escape')

  await page.setViewportSize({ width: 400, height: 800 })
  const left = await cells(page).evaluateAll((all) => new Set(all.map((c) => c.getBoundingClientRect().left)).size)
  expect(left, 'columns on a narrow page').toBe(1)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(400)
  await page.keyboard.press('Home')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/agents\//)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('cell-1')
})

test('200 cells that change ten times a second, and one that floods', { tag: '@soak' }, async ({ fleet: page, server, transport }) => {
  test.setTimeout(400_000)
  const MS = 15_000
  await server.spawn('shell', '--name', 'flood', '--', 'sh', '-c', FLOOD)
  await server.spawn('scripted', '--name', 'busy', '-n', '199', '--script', 'repeat forever\nsay ${i} a line of some length that ends somewhere, as lines of a build do\nwait 100ms\nend')
  const pid = /** @type {number} */ (server.pid)
  /** Measures the page, or with a page that is blank the server alone. @param {string} what */
  const measure = async (what) => {
    const before = cpu(pid)
    const began = Date.now()
    const f = await frames(page, MS)
    const cores = (cpu(pid) - before) / ((Date.now() - began) / 1000)
    const figures = `${transport}, ${what}: frames p50 ${f.p50} ms, p99 ${f.p99} ms, longest ${f.longest} ms; server ${cores.toFixed(2)} cores`
    console.log(figures)
    test.info().annotations.push({ type: 'measured', description: figures })
    return f
  }
  await page.goto('about:blank')
  await measure('no page')
  for (const [width, height] of [[1440, 900], [3840, 2160]]) {
    await page.setViewportSize({ width, height })
    await page.goto(`${server.http}/wall?size=small`)
    await live(page, transport)
    await expect(cells(page)).toHaveCount(200)
    const inSight = await cells(page).evaluateAll((all) => all.filter((c) => c.getBoundingClientRect().top < innerHeight).length)
    const before = await shown(page, 'busy-1').innerText()
    await frames(page, 3000) // what the load of the page takes is not measured
    await measure(`${inSight} of 200 cells in sight`)
    await expect(shown(page, 'busy-1'), 'it goes on').not.toHaveText(before)
    await expect(shown(page, 'flood')).toContainText(/\d{10}/)
  }
  await page.goto(server.http)
  await live(page, transport)
  await frames(page, 3000)
  await measure('the fleet')
})
