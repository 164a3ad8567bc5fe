import { check } from '../fixtures/axe.js'
import { Server } from '../fixtures/server.js'
import { dialog, expect, live, only, row, rows, signIn, test } from '../fixtures/test.js'

/** Two thousand for make soak, else more than the page has rows for. */
const MANY = process.env.EVERY ? 2000 : 300

/**
 * Its last line changes all the time, at random moments: of two thousand agents, some hundreds change between two status
 * rounds.
 */
const BUSY = 'repeat forever\nsay tick ${i}\nwait 200ms..1s\nend'

test.use({ contextOptions: { reducedMotion: 'reduce' }, args: ['--keep-exited', '5000'] }) // ended agents are kept
test.setTimeout(180_000)

/**
 * Spawns the agents: many-1-1 is the oldest, many-2-1000, or -150, the newest.
 * @param {import('@playwright/test').Page} page
 * @param {Server} server
 * @param {string} [script]
 */
async function many(page, server, script = BUSY) {
  const before = (await server.agents()).length
  for (const half of [1, 2]) await server.spawn('scripted', '--name', `many-${half}`, '-n', String(MANY / 2), '--script', script)
  await expect(page.getByText(`${before + MANY} agents, ${before + MANY} alive`)).toBeVisible({ timeout: 30_000 })
}

/**
 * The table, whose aria-rowcount includes the rows that are not in the page.
 * @param {import('@playwright/test').Page} page
 */
const table = (page) => page.getByRole('table', { name: 'Agents' })

/** @param {import('@playwright/test').Page} page */
const filter = (page) => page.getByRole('searchbox', { name: /^Filter/ })

/** The names of the rows in the page. @param {import('@playwright/test').Page} page */
const names = (page) => rows(page).getByRole('link').allInnerTexts()

/**
 * Whether the focused element is fully visible, covered neither by the column headers nor by the selection bar.
 * @param {import('@playwright/test').Page} page
 */
const focusInSight = (page) => page.evaluate(() => {
  const at = /** @type {Element} */ (document.activeElement)
  const { left, right, top, bottom } = at.getBoundingClientRect()
  return [top + 1, bottom - 1].every((y) => at.contains(document.elementFromPoint((left + right) / 2, y)))
})

test('what changes is written to the rows near the window, once in a frame', { tag: '@soak' }, async ({ fleet: page, server }) => {
  await many(page, server)
  await expect(rows(page).first()).toContainText(/tick \d+/)
  const seen = await page.evaluate(async () => {
    const list = /** @type {Element} */ (document.querySelector('[role="table"]'))
    const frame = () => new Promise(requestAnimationFrame)
    const tick = () => Number(/tick (\d+)/.exec(list.querySelector('.agent')?.textContent ?? '')?.[1])
    let turns = 0 // tasks since the last frame
    let mostTurns = 0
    let mostWrites = 0
    const touched = new Set()
    const watch = new MutationObserver((records) => {
      mostTurns = Math.max(mostTurns, ++turns)
      mostWrites = Math.max(mostWrites, records.length)
      for (const { target } of records) touched.add((target instanceof Element ? target : target.parentElement)?.closest('.agent'))
    })
    const from = tick()
    watch.observe(list, { subtree: true, childList: true, characterData: true, attributes: true })
    for (; tick() < from + 5; turns = 0) await frame()
    watch.disconnect()
    return { mostTurns, mostWrites, touched: touched.size, rows: list.querySelectorAll('.agent').length, fit: innerHeight / 40, elements: document.querySelectorAll('*').length }
  })
  expect(seen.touched, 'something is written').toBeGreaterThan(5)
  expect(seen.rows, 'rows are there for a window, and as much again').toBeLessThan(2 * seen.fit + 20)
  expect(seen.touched).toBeLessThanOrEqual(seen.rows)
  expect(seen.mostTurns, 'a frame may fall to either side of the last one').toBeLessThanOrEqual(2)
  expect(seen.mostWrites).toBeLessThan(8 * seen.rows)
  expect(seen.elements).toBeLessThan(3000)
})

test('a key, a question and a stop are seen at once', { tag: '@soak' }, async ({ fleet: page, server }) => {
  await server.spawn('scripted', '--name', 'asker', '--script', 'read\nask May I?\nsay thank you\nidle 1h')
  await many(page, server)
  await expect(row(page, 'asker'), 'the oldest is far below').toHaveCount(0)

  await page.evaluate(() => {
    const box = /** @type {HTMLInputElement} */ (document.querySelector('input[type="search"]'))
    const typed = (globalThis.typed = [])
    box.addEventListener('input', () => typed.push(box.value))
  })
  await page.keyboard.press('/')
  const word = 'many-1-377'
  for (const [i, key] of [...word].entries()) {
    await page.keyboard.press(key)
    await expect(filter(page)).toHaveValue(word.slice(0, i + 1))
  }
  expect(await page.evaluate(() => globalThis.typed)).toEqual([...word].map((_, i) => word.slice(0, i + 1)))
  await expect.poll(() => names(page)).toEqual([word])
  await expect(table(page)).toHaveAttribute('aria-rowcount', '3')
  await page.keyboard.press('Escape')
  await expect(table(page)).toHaveAttribute('aria-rowcount', String(1 + 1 + 1 + MANY)) // with the heads of the columns and of the group

  await server.cli('send', 'asker', 'go')
  await expect(rows(page).first()).toContainText('asker')
  await expect(page.getByRole('rowgroup', { name: 'Needs you' })).toContainText('May I?')
  await row(page, 'asker').getByRole('textbox', { name: 'Answer asker' }).fill('yes')
  await row(page, 'asker').getByRole('button', { name: 'Send' }).click()
  await expect(page.getByRole('rowgroup', { name: 'Needs you' })).toBeHidden()
  expect(await server.agent('asker')).toMatchObject({ activity: 'idle', last_line: 'thank you' })

  const [newest] = await names(page)
  expect(newest).toBe('many-2-1000')
  await server.cli('stop', newest)
  await expect(row(page, newest)).toHaveCount(0)
  await only(page, 'Ended')
  await expect(row(page, newest)).toContainText('Stopped')
  await server.cli('stop', '--all')
  await expect(page.getByText(`${1 + MANY} agents, 0 alive`)).toBeVisible({ timeout: 30_000 })
})

test('every agent is there when one scrolls to it', { tag: '@soak' }, async ({ fleet: page, server }) => {
  await many(page, server)
  await page.getByRole('columnheader', { name: 'Agent' }).getByRole('link').click()
  await expect(rows(page).first()).toContainText('many-1-1')
  const { names, indexes, blank } = await page.evaluate(async () => {
    const frame = () => new Promise(requestAnimationFrame)
    const end = () => scrollY + innerHeight >= document.documentElement.scrollHeight - 1
    const names = new Set()
    const indexes = new Set()
    let blank = 0
    for (let last = false; !last; scrollBy(0, innerHeight), await frame(), await frame()) {
      last = end()
      for (const el of document.querySelectorAll('.agent')) {
        names.add(el.querySelector('a')?.textContent)
        indexes.add(el.getAttribute('aria-rowindex'))
      }
      for (const y of [0.3, 0.5, 0.7]) if (!document.elementFromPoint(innerWidth / 2, innerHeight * y)?.closest('.agent')) blank++
    }
    return { names: names.size, indexes: indexes.size, blank }
  })
  expect({ names, indexes, blank }).toEqual({ names: MANY, indexes: MANY, blank: 0 })
  await expect(rows(page).last()).toContainText('many-2-1000')
  await expect(rows(page).last()).toBeInViewport()
  await expect(table(page)).toHaveAttribute('aria-rowcount', (await rows(page).last().getAttribute('aria-rowindex')) ?? '')

  await page.mouse.move(700, 500)
  await page.mouse.wheel(0, -30_000)
  await expect(row(page, 'many-2-1000')).toHaveCount(0)
  await expect.poll(() => page.evaluate(() => Boolean(document.elementFromPoint(700, 500)?.closest('.agent')))).toBe(true)
  await check(page, 'the middle of the list')
})

test('keys and selections go beyond the rows in the page', { tag: '@soak' }, async ({ fleet: page, server }) => {
  await server.spawn('scripted', '--name', 'asker', '--script', 'ask May I?')
  await many(page, server)
  const focused = page.locator(':focus')
  const answer = page.getByRole('textbox', { name: 'Answer asker' })
  await answer.fill('a draft')
  await page.keyboard.press('Escape') // leaves the filter box, so that keys are shortcuts

  await expect(async () => { // the browser scrolls as far as what it drew last, which on a busy machine is a shorter list
    await page.keyboard.press('End')
    await expect(rows(page).last()).toContainText('many-1-1', { timeout: 2000 })
  }).toPass()
  await expect(rows(page).last()).toBeInViewport({ ratio: 1 })
  await page.keyboard.press('k')
  await expect(focused, 'where one looks, not where the list begins').toHaveText('many-1-1')
  for (let n = 2; n <= 60; n++) await page.keyboard.press('k')
  await expect(focused).toHaveText('many-1-60')
  expect(await focusInSight(page)).toBe(true)
  await page.keyboard.press('x')
  await page.evaluate(() => scrollTo(0, 0))
  await expect(rows(page).nth(1)).toContainText(`many-2-${MANY / 2}`)
  await expect(focused, 'the focus stays with what is out of sight').toHaveText('many-1-60')
  await expect(answer, 'and what was begun, with its agent').toHaveValue('a draft')

  await page.getByRole('checkbox', { name: `Select many-2-${MANY / 2}` }).click({ modifiers: ['Shift'] })
  const bulk = page.getByRole('region', { name: 'Selection' })
  await expect(bulk).toContainText(`${MANY - 59} agents selected`)
  await bulk.getByRole('button', { name: 'Stop' }).click()
  await expect(dialog(page, `Stop ${MANY - 59} agents?`)).toBeVisible()
  await page.keyboard.press('Escape')
  await bulk.getByRole('button', { name: 'Clear' }).click()
  await page.getByRole('checkbox', { name: 'Select all shown' }).click()
  await expect(bulk).toContainText(`${1 + MANY} agents selected`)
})

test('it is as smooth as with twenty', { tag: '@soak' }, async ({ fleet: page, server, transport, blackHole, browser }) => {
  const few = new Server({ args: transport === 'websocket' ? ['--quic-port', String(blackHole.port)] : [] })
  const context = await browser.newContext() // cookies of localhost apply to all its ports
  const other = await context.newPage()
  try {
    await few.start()
    await few.spawn('scripted', '--name', 'few', '-n', '20', '--script', BUSY)
    await signIn(other, few)
    await other.goto(few.http)
    await live(other, transport)
    await many(page, server)
    for (const p of [page, other]) await slow(p)
    const frames = { few: 0, many: 0 }
    for (let turn = 0; turn < 20 && (turn < 5 || frames.many < frames.few / 3); turn++) { // in turns, so that both run under the same load
      frames.many += await framesOf(page)
      frames.few += await framesOf(other)
    }
    test.info().annotations.push({ type: 'frames', description: JSON.stringify(frames) })
    expect(frames.few).toBeGreaterThan(0)
    expect(frames.many / frames.few, JSON.stringify(frames)).toBeGreaterThan(1 / 3)
  } finally {
    await context.close()
    await few.close()
  }
})

/** Slows the page's CPU to a third of its speed. @param {import('@playwright/test').Page} page */
async function slow(page) {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 3 })
}

/** How many frames a page gets in a second. @param {import('@playwright/test').Page} page */
async function framesOf(page) {
  await page.bringToFront()
  return page.evaluate(async () => {
    let frames = -1
    for (const end = performance.now() + 1000; performance.now() < end; frames++) await new Promise(requestAnimationFrame)
    return frames
  })
}
