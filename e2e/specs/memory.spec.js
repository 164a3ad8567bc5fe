import { check } from '../fixtures/axe.js'
import { client } from '../fixtures/client.js'
import { Link } from '../fixtures/network.js'
import { BROKEN, COMES_BACK, badge, expect, live, signIn, test as base, toast } from '../fixtures/test.js'

// An agent that stores what it found, and waits.
const WRITER = `agent_types:
  writer:
    kind: exec
    argv: [sh, -c, 'echo ''{"jsonrpc":"2.0","id":1,"method":"memory.store","params":{"namespace":"demo","key":"finding/1","value":{"text":"Beware of the pink-footed fox near the northern pond."}}}''; exec sleep 300']
    tasks: lines
    memory: [demo]
`

const test = base.extend({
  config: WRITER,

  // A client that makes changes from elsewhere.
  memory: async ({ server }, use) => {
    const skein = client(server)
    await use(skein.memory)
    skein.close()
  },

  // Opens a page of memory and waits until it is live.
  visit: async ({ signedIn: page, server, transport }, use) => {
    await use(async (/** @type {string} */ path) => {
      await page.goto(server.http + path)
      await live(page, transport)
    })
  },
})

const KEY = { namespace: 'demo', key: 'plan' }

/** @typedef {import('@playwright/test').Page} Page */

/** An entry in its namespace, or a namespace in memory. @param {Page} page @param {string} name */
const row = (page, name) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })

/** The keys that a namespace's page shows. @param {Page} page */
const keys = (page) => page.getByRole('table', { name: 'Entries' }).locator('.entry .name')

/** The value that an entry's page shows. @param {Page} page */
const value = (page) => page.getByRole('region', { name: 'Value', exact: true }).locator('.payload')

/** @param {Page} page */
const versions = (page) => page.getByRole('complementary', { name: 'History' }).getByRole('listitem')

/** @param {Page} page */
const conflict = (page) => page.getByRole('region', { name: /^It was (changed|deleted)/ })

/** Opens the form of an entry's page and fills in a value. @param {Page} page @param {string} text */
async function edit(page, text) {
  await page.getByRole('button', { name: 'Edit', exact: true }).click()
  await page.getByRole('textbox', { name: 'Value', exact: true }).fill(text)
}

/** @param {Page} page */
const save = (page) => page.getByRole('button', { name: 'Save', exact: true }).click()

/** The value of an entry; undefined if it does not exist. */
async function holds(memory, key = KEY) {
  try {
    const e = await memory.retrieve(key)
    return e.value?.text ?? ''
  } catch (e) {
    if (e.kind !== 'not_found') throw e
    return undefined
  }
}

test('the pages of memory and of a namespace', async ({ signedIn: page, visit, memory, browser, server }) => {
  await test.step('an empty memory says what to do, and does it', async () => {
    await visit('/memory')
    const empty = page.getByRole('region', { name: 'Nothing is stored yet' })
    await expect(empty).toContainText('skein memory set demo hello world')
    await empty.getByRole('button', { name: /^Store hello in demo/ }).click()
    await expect(page).toHaveURL(/\/memory\/demo\/hello$/)
    await expect(value(page)).toHaveText('world')
    expect(await holds(memory, { namespace: 'demo', key: 'hello' })).toBe('world')
    await memory.delete({ namespace: 'demo', key: 'hello' })
  })

  await test.step('by the keyboard alone', async () => {
    for (const key of ['a', 'b', 'c']) await memory.store({ namespace: 'demo', key, value: key })
    await visit('/memory')
    const key = (/** @type {string} */ k) => page.keyboard.press(k)
    await key('j')
    await expect(page.getByRole('link', { name: 'demo', exact: true })).toBeFocused()
    await key('Enter')
    await expect(page).toHaveURL(/\/memory\/demo$/)
    await expect(badge(page)).toHaveAccessibleName(/^Web/)
    await key('j')
    await key('j')
    await expect(page.getByRole('link', { name: 'b', exact: true })).toBeFocused()
    await memory.delete({ namespace: 'demo', key: 'b' })
    await expect(page.getByRole('link', { name: 'c', exact: true }), 'the focus is not lost with its row').toBeFocused()
    await key('Enter')
    await expect(value(page)).toHaveText('c')
    await expect(badge(page)).toHaveAccessibleName(/^Web/)
    await expect(async () => { // a key that is pressed before the page listens is lost
      await key('e')
      await expect(page.getByRole('textbox', { name: 'Value', exact: true })).toBeFocused({ timeout: 1000 })
    }).toPass({ timeout: 60_000 })
    await key('Control+a')
    await page.keyboard.type('typed')
    await key('Control+Enter')
    await expect(value(page)).toHaveText('typed')
    await expect(page.getByRole('textbox', { name: 'Value', exact: true })).toBeHidden()
    await key('d')
    await expect(page.getByRole('region', { name: 'Delete c?' }).getByRole('button', { name: 'Delete' })).toBeFocused()
    await key('Escape')
    await expect(page.getByRole('region', { name: 'Delete c?' })).toBeHidden()
    await key('d')
    await key('Enter')
    await expect(page.getByText('It was deleted by dashboard.')).toBeVisible()
    await key('u')
    await expect(page).toHaveURL(/\/memory\/demo$/)
    await memory.delete({ namespace: 'demo', key: 'a' })
  })

  await test.step('namespaces and entries are there before any script, and follow what happens', async () => {
    await memory.store({ ...KEY, value: 'first' })
    const plain = await browser.newContext({ javaScriptEnabled: false })
    const still = await plain.newPage()
    await still.goto(await server.loginURL())
    await still.getByRole('button').click()
    await still.goto(`${server.http}/memory`)
    await still.getByRole('link', { name: 'demo', exact: true }).click()
    await expect(row(still, 'plan')).toContainText('first')
    await plain.close()

    await visit('/memory')
    await expect(row(page, 'demo')).toContainText('1 of 100000')
    await memory.store({ namespace: 'team.a', key: 'x', value: 'y' })
    await expect(row(page, 'team.a')).toBeVisible()
    await memory.delete({ namespace: 'team.a', key: 'x' })
    await expect(row(page, 'team.a')).toHaveCount(0)

    await row(page, 'demo').getByRole('link').click()
    await expect(keys(page)).toHaveText(['plan'])
    await memory.store({ namespace: 'demo', key: 'apple', value: 'red' })
    await memory.store({ namespace: 'demo', key: 'zebra', value: new Uint8Array([0, 1, 254]) })
    await expect(keys(page)).toHaveText(['apple', 'plan', 'zebra'])
    await expect(row(page, 'zebra')).toContainText('00 01 fe')
    await memory.store({ ...KEY, value: 'second' })
    await expect(row(page, 'plan')).toContainText('second')
    await memory.delete({ namespace: 'demo', key: 'apple' })
    await expect(keys(page)).toHaveText(['plan', 'zebra'])
    await expect(page.locator('#summary')).toHaveText('2 keys, 9 B')
  })

  await test.step('a row flashes once when it changes, and not before', async () => {
    const key = { ...KEY, namespace: 'flashes' }
    await memory.store({ ...key, value: 'first' })
    await visit('/memory/flashes')
    await page.evaluate(() => {
      globalThis.flashes = []
      document.addEventListener('animationstart', (e) => {
        const row = /** @type {HTMLElement} */ (e.target).closest('.entry')
        if (row && e.animationName === 'fresh') globalThis.flashes.push(row.dataset.key)
      })
    })
    await memory.store({ namespace: 'flashes', key: 'other', value: '1' })
    await memory.store({ ...key, value: 'second' })
    await expect(row(page, 'plan')).toContainText('second')
    const flashed = () => page.evaluate(() => globalThis.flashes.toSorted())
    await expect.poll(flashed).toEqual(['other', 'plan'])
    await expect(page.locator('[data-fresh]')).toHaveCount(0) // the highlight has ended
    expect(await flashed()).toEqual(['other', 'plan'])
  })

  await test.step('a new entry, and one that is there already', async () => {
    await visit('/memory/new')
    await page.getByRole('button', { name: 'New entry' }).first().click()
    await page.getByRole('textbox', { name: 'Key', exact: true }).fill('notes/ünï #1')
    await page.getByRole('textbox', { name: 'Value', exact: true }).fill('{"a":[1,2]}')
    await page.getByRole('button', { name: 'Store', exact: true }).click()
    await expect(row(page, 'notes/ünï #1')).toContainText(/a\s*1, 2/)
    await expect(page.getByRole('link', { name: 'notes/ünï #1' })).toBeFocused()
    expect(await holds(memory, { namespace: 'new', key: 'notes/ünï #1' })).toBe('{"a":[1,2]}')
    await page.keyboard.press('Enter')
    await expect(value(page)).toHaveText('{\n  "a": [\n    1,\n    2\n  ]\n}')

    await visit('/memory/new')
    await page.keyboard.press('n')
    await page.keyboard.type('notes/ünï #1')
    await page.keyboard.press('Control+Enter')
    await expect(page.getByText('There is such an entry already')).toBeVisible()
    expect(await holds(memory, { namespace: 'new', key: 'notes/ünï #1' })).toBe('{"a":[1,2]}')
  })

  await test.step('the next entry may be typed while the row of the last one is on its way', async () => {
    await visit('/memory/typed')
    await page.getByRole('button', { name: 'New entry' }).first().click()
    await page.getByRole('textbox', { name: 'Key', exact: true }).fill('first')
    await page.evaluate(() => {
      const form = /** @type {HTMLElement} */ (document.querySelector('#form'))
      const closed = new MutationObserver(() => {
        if (!form.hidden) return
        closed.disconnect()
        document.querySelector('#new-open').click()
        document.querySelector('#form-key').value = 'second'
      })
      closed.observe(form, { attributes: true })
    })
    await page.keyboard.press('Control+Enter')
    await expect(row(page, 'first')).toBeVisible()
    await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))))
    await expect(page.getByRole('textbox', { name: 'Key', exact: true })).toHaveValue('second')
    await expect(page.getByRole('textbox', { name: 'Key', exact: true })).toBeFocused()
  })
})

test('what expires, and when', async ({ signedIn: page, visit, memory }) => {
  await test.step('what expires goes by itself', async () => {
    const key = { ...KEY, namespace: 'expiring' }
    await memory.store({ ...key, value: 'stays' })
    await visit('/memory/expiring')
    await memory.store({ namespace: 'expiring', key: 'brief', value: 'gone soon', ttl: 4000 })
    await expect(row(page, 'brief').locator('time[data-f="expires"]')).toHaveText(/^in [1-4]s$/)
    await expect(row(page, 'brief')).toHaveCount(0)
    await expect(keys(page)).toHaveText(['plan'])

    await visit('/memory/expiring/plan')
    await edit(page, 'short')
    await page.getByRole('combobox', { name: 'Expires' }).selectOption('After')
    await save(page)
    await expect(page.getByText('Say after how long it expires')).toBeVisible()
    await page.getByRole('spinbutton', { name: 'Expires after' }).fill('3')
    await page.getByRole('combobox', { name: 'Unit' }).selectOption('seconds')
    await save(page)
    await expect(page.locator('#facts time[data-f="expires"]')).toHaveText(/^in [1-3]s$/)
    await expect(page.getByText('It expired. Its value is kept for a day')).toBeVisible()
    expect(await holds(memory, key)).toBeUndefined()

    await page.getByRole('button', { name: 'New value' }).click()
    await page.getByRole('textbox', { name: 'Value', exact: true }).fill('again')
    await page.getByRole('button', { name: 'Store', exact: true }).click()
    await expect(value(page)).toHaveText('again')
    await expect(page.locator('#facts time[data-f="expires"]')).toHaveText('–')
  })

  await test.step('a time to live is kept, and taken away', async () => {
    const key = { ...KEY, namespace: 'kept' }
    const { expires_at } = await memory.store({ ...key, value: 'a', ttl: 3_600_000 })
    await visit('/memory/kept/plan')
    await edit(page, 'b')
    await save(page)
    await expect(value(page)).toHaveText('b')
    const kept = await memory.retrieve(key)
    expect(Math.abs(Date.parse(kept.expires_at) - Date.parse(expires_at))).toBeLessThan(60_000) // within an hour's TTL, since a busy machine may be late
    await edit(page, 'c')
    await page.getByRole('combobox', { name: 'Expires' }).selectOption('Never')
    await save(page)
    await expect(value(page)).toHaveText('c')
    expect((await memory.retrieve(key)).expires_at).toBeUndefined()
  })

  await test.step('what is edited here expires: saving asks when it is to expire', async () => {
    const key = { ...KEY, namespace: 'edited' }
    await memory.store({ ...key, value: 'old', ttl: 4000 })
    await visit('/memory/edited/plan')
    await edit(page, 'mine')
    await expect(page.getByText(/^Meanwhile it was deleted/)).toBeVisible()
    await save(page)
    await expect(page.getByText('It would have expired by now: say anew when it expires.')).toBeVisible()
    await page.getByRole('combobox', { name: 'Expires' }).selectOption('Never')
    await save(page)
    await conflict(page).getByRole('button', { name: 'Store yours anew' }).click()
    await expect(value(page)).toHaveText('mine')
    expect((await memory.retrieve(key)).expires_at).toBeUndefined()
  })
})

test('two change one value', async ({ signedIn: page, visit, memory }) => {
  for (const [name, namespace, way, want] of /** @type {const} */ ([
    ['keep theirs', 'kept-theirs', 'Keep theirs', 'one\ntheirs\nthree'],
    ['overwrite', 'overwritten', 'Overwrite with yours', 'one\nyours\nthree'],
  ])) {
    await test.step(`two change one value: ${name}`, async () => {
      const key = { ...KEY, namespace }
      await memory.store({ ...key, value: 'one\ntwo\nthree' })
      await visit(`/memory/${namespace}/plan`)
      await edit(page, 'one\nyours\nthree')
      await memory.store({ ...key, value: 'one\ntheirs\nthree' })
      await expect(page.getByText(/^Meanwhile .* changed it/)).toBeVisible()
      await expect(page.getByRole('textbox', { name: 'Value', exact: true }), 'what was written stays').toHaveValue('one\nyours\nthree')
      await save(page)
      await expect(conflict(page)).toBeFocused()
      await expect(conflict(page).getByRole('group', { name: 'Their value' })).toHaveText('one\ntheirs\nthree')
      await expect(conflict(page).getByRole('group', { name: 'Your value' })).toHaveText('one\nyours\nthree')
      expect(await holds(memory, key), 'nothing was stored').toBe('one\ntheirs\nthree')
      await conflict(page).getByRole('button', { name: way }).click()
      await expect(conflict(page)).toBeHidden()
      await expect(value(page)).toHaveText(want)
      expect(await holds(memory, key)).toBe(want)
    })
  }

  await test.step('two change one value: merge by hand, while it changes once more', async () => {
    const key = { ...KEY, namespace: 'merged' }
    await memory.store({ ...key, value: 'one\ntwo' })
    await visit('/memory/merged/plan')
    await edit(page, 'one\nyours')
    await memory.store({ ...key, value: 'one\ntheirs' })
    await save(page)
    await conflict(page).getByText('Merge by hand').click()
    const both = conflict(page).getByRole('textbox')
    await expect(both).toHaveValue('one\n<<<<<<< theirs\ntheirs\n=======\nyours\n>>>>>>> yours')
    await conflict(page).getByRole('button', { name: 'Save the merge' }).click()
    await expect(conflict(page).getByRole('alert')).toContainText('still a marker')
    await both.fill('one\ntheirs and yours')

    await memory.store({ ...key, value: 'one\ntheirs, later' })
    await expect(conflict(page).getByRole('group', { name: 'Their value' })).toHaveText('one\ntheirs, later')
    await expect(conflict(page).getByRole('alert')).toContainText('changed again')
    await expect(both, 'the merge stays').toHaveValue('one\ntheirs and yours')
    expect(await holds(memory, key)).toBe('one\ntheirs, later')
    await conflict(page).getByRole('button', { name: 'Save the merge' }).click()
    await expect(value(page)).toHaveText('one\ntheirs and yours')
    expect(await holds(memory, key)).toBe('one\ntheirs and yours')
  })

  await test.step('a merge that was begun stays when it is closed, and when theirs is deleted', async () => {
    const key = { ...KEY, namespace: 'begun' }
    await memory.store({ ...key, value: 'one' })
    await visit('/memory/begun/plan')
    await edit(page, 'yours')
    await memory.store({ ...key, value: 'theirs' })
    await save(page)
    const merge = conflict(page).getByText('Merge by hand')
    const both = conflict(page).getByRole('textbox')
    await merge.click()
    await both.fill('theirs and yours')
    await merge.click()
    await expect(both).toBeHidden()
    await memory.store({ ...key, value: 'theirs, later' })
    await expect(conflict(page).getByRole('group', { name: 'Their value' })).toHaveText('theirs, later')
    await expect(both).toHaveValue('theirs and yours')
    await memory.delete(key)
    await expect(conflict(page)).toContainText('Nothing: it is deleted.')
    await expect(both).toHaveValue('theirs and yours')
    await conflict(page).getByRole('button', { name: 'Save the merge' }).click()
    await expect(value(page)).toHaveText('theirs and yours')
    expect(await holds(memory, key)).toBe('theirs and yours')
  })

  await test.step('what is edited here is deleted elsewhere', async () => {
    const key = { ...KEY, namespace: 'deleted' }
    await memory.store({ ...key, value: 'old' })
    await visit('/memory/deleted/plan')
    await edit(page, 'mine')
    await memory.delete(key)
    await expect(page.getByText(/^Meanwhile it was deleted/)).toBeVisible()
    await save(page)
    await expect(conflict(page)).toContainText('Nothing: it is deleted.')
    await conflict(page).getByRole('button', { name: 'Store yours anew' }).click()
    await expect(value(page)).toHaveText('mine')
    expect(await holds(memory, key)).toBe('mine')
  })

  await test.step('what was typed stays when somebody presses Edit or Restore', async () => {
    const key = { ...KEY, namespace: 'typing' }
    for (const text of ['one', 'two']) await memory.store({ ...key, value: text })
    await visit('/memory/typing/plan')
    await edit(page, 'mine')
    const typed = page.getByRole('textbox', { name: 'Value', exact: true })
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    await expect(typed).toBeFocused()
    await expect(typed).toHaveValue('mine')
    await versions(page).last().getByRole('button', { name: 'Restore' }).click()
    await expect(toast(page, 'It was not restored')).toContainText('Save or close what you are editing first.')
    await expect(typed).toHaveValue('mine')
    await memory.store({ ...key, value: 'theirs' })
    await save(page)
    await expect(conflict(page)).toBeVisible()
    await versions(page).last().getByRole('button', { name: 'Restore' }).click()
    await expect(toast(page, 'It was not restored')).toContainText('2 times')
    await conflict(page).getByRole('button', { name: 'Overwrite with yours' }).click()
    await expect(value(page)).toHaveText('mine')
  })
})

test('an entry, its history and its other pages', async ({ signedIn: page, visit, memory, server, transport }) => {
  await test.step('what an agent stored is found, and leads to the agent', async () => {
    const [agent] = await server.spawn('writer', '--name', 'goose')
    await visit('/memory')
    await expect(row(page, 'demo')).toBeVisible()
    await page.keyboard.press('/')
    await page.keyboard.type('NORTHERN pon*')
    const hits = page.getByRole('region', { name: 'Found in all namespaces' })
    await expect(hits.getByRole('listitem')).toHaveCount(1)
    await expect(hits.locator('mark')).toHaveText(['northern', 'pond'])
    await expect(hits.getByRole('link', { name: 'goose' })).toHaveAttribute('href', `/agents/${agent.id}`)
    await page.keyboard.press('Escape')
    await expect(hits).toBeHidden()
    await page.keyboard.type('unicorn')
    await expect(hits).toContainText('No key or value has all these words')

    await visit('/memory/demo?q=fox')
    await expect(page.getByRole('region', { name: 'Found in demo' }).getByRole('link', { name: 'finding/1' })).toBeVisible()
    await page.getByRole('region', { name: 'Found in demo' }).getByRole('link', { name: 'finding/1' }).click()
    await expect(value(page)).toContainText('pink-footed fox')
    await expect(page.locator('#facts').getByRole('link', { name: 'goose' })).toBeVisible()
  })

  await test.step('bytes are shown as such, and downloaded as they are', async () => {
    const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i % 256)
    await memory.store({ namespace: 'demo', key: 'folder/raw.bin', value: bytes, content_type: 'text/html' })
    await visit('/memory/demo/folder%2Fraw.bin')
    await expect(value(page)).toContainText('00000000  00 01 02 03')
    await expect(page.getByText('the download has all of it')).toBeVisible()
    const download = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Download the value' }).click()
    const file = await download
    expect(file.suggestedFilename()).toBe('raw.bin')
    const got = await (await import('node:fs/promises')).readFile(await file.path())
    expect(Buffer.compare(got, Buffer.from(bytes))).toBe(0)
  })

  await test.step('history tells what changed, and restores', async () => {
    const key = { ...KEY, namespace: 'history' }
    for (const text of ['one\ntwo', 'one\n2', 'one\n2\nthree']) await memory.store({ ...key, value: text })
    await visit('/memory/history/plan')
    await expect(versions(page)).toHaveCount(3)
    await versions(page).nth(1).getByText('Changes').click()
    await expect(versions(page).nth(1).locator('.dl')).toHaveText(['one', 'Removed: two', 'Added: 2'])
    await expect(versions(page).first().getByRole('button', { name: 'Restore' })).toBeHidden()
    await versions(page).last().getByRole('button', { name: 'Restore' }).click()
    await expect(toast(page, 'is restored')).toBeVisible()
    await expect(value(page)).toHaveText('one\ntwo')
    await expect(versions(page)).toHaveCount(4)
    expect(await holds(memory, key)).toBe('one\ntwo')
    await memory.delete(key)
    await expect(versions(page).first()).toContainText('Deleted')
    await versions(page).nth(2).getByRole('button', { name: 'Restore' }).click()
    await expect(value(page)).toHaveText('one\n2\nthree')
    expect(await holds(memory, key)).toBe('one\n2\nthree')
  })

  await test.step('what is opened stays open, and the focus stays, while the entry changes', async () => {
    const key = { ...KEY, namespace: 'opened' }
    for (const text of ['one', 'two']) await memory.store({ ...key, value: text })
    await visit('/memory/opened/plan')
    const opened = versions(page).filter({ hasText: 'Changed' }).first()
    await opened.getByText('Changes').click()
    await expect(opened.locator('.dl').last()).toBeVisible()
    await opened.getByText('Changes').focus()
    await memory.store({ ...key, value: '<b>three</b><script>document.title = "run"</script>' })
    await expect(versions(page)).toHaveCount(3)
    await expect(value(page)).toHaveText('<b>three</b><script>document.title = "run"</script>')
    const was = versions(page).nth(1)
    await expect(was.locator('.dl')).toHaveText(['Removed: one', 'Added: two'])
    await expect(was.locator('.dl').last(), 'it is open still').toBeVisible()
    await expect(was.getByText('Changes')).toBeFocused()
    await expect(versions(page).first().locator('.dl').last(), 'the new one is not').toBeHidden()
    expect(await page.title()).not.toBe('run')
  })

  await test.step('a delete is of what was shown when it was asked about', async () => {
    const key = { ...KEY, namespace: 'asked' }
    await memory.store({ ...key, value: 'old' })
    await visit('/memory/asked/plan')
    const first = page.getByRole('button', { name: 'Delete', exact: true }).first()
    const question = page.getByRole('region', { name: 'Delete plan?' })
    await first.click()
    await memory.store({ ...key, value: 'new' })
    await expect(value(page)).toHaveText('new')
    await question.getByRole('button', { name: 'Delete' }).click()
    await expect(toast(page, 'It was not deleted')).toContainText('It was changed meanwhile')
    expect(await holds(memory, key)).toBe('new')
    await expect(question).toBeHidden()
    await first.click()
    await question.getByRole('button', { name: 'Delete' }).click()
    await expect(page.getByText('It was deleted by dashboard.')).toBeVisible()
    await expect(page.getByRole('button', { name: 'New value' })).toBeFocused()
    expect(await holds(memory, key)).toBeUndefined()
  })

  await test.step('two pages of one entry', async () => {
    const key = { ...KEY, namespace: 'twice' }
    await memory.store({ ...key, value: 'old' })
    await visit('/memory/twice/plan')
    const other = await page.context().newPage()
    await other.goto(`${server.http}/memory/twice/plan`)
    await live(other, transport)
    await edit(page, 'from the first page')
    await save(page)
    await expect(value(other)).toHaveText('from the first page')
    await expect(versions(other)).toHaveCount(2)
    await other.getByRole('button', { name: 'Delete', exact: true }).first().click()
    await expect(other.getByRole('region', { name: 'Delete plan?' })).toBeVisible()
    await other.getByRole('region', { name: 'Delete plan?' }).getByRole('button', { name: 'Delete' }).click()
    await expect(page.getByText('It was deleted by dashboard.')).toBeVisible()
    await expect(versions(page)).toHaveCount(3)
    expect(await holds(memory, key)).toBeUndefined()
  })
})

test('what fits no message the page has all the same, and another page is an error', async ({ signedIn: page, visit, memory, noise }) => {
  await test.step('what fits no message the page has all the same', async () => {
    const key = { ...KEY, namespace: 'long' }
    noise.push(/status of 409/) // the page of the conflict
    const long = (/** @type {string} */ s) => '<'.repeat(150_000) + s
    await memory.store({ ...key, value: 'short' })
    await visit('/memory/long/plan')
    await expect(value(page)).toHaveText('short')
    await memory.store({ ...key, value: long('first') })
    await expect(value(page)).toContainText('<<first')
    await expect(versions(page)).toHaveCount(2)
    await edit(page, 'mine')
    await memory.store({ ...key, value: long('second') })
    await expect(value(page)).toContainText('<<second')
    await save(page)
    await expect(conflict(page).getByRole('group', { name: 'Their value' })).toContainText('<<second')
    await expect(conflict(page).getByRole('group', { name: 'Your value' })).toHaveText('mine')
    await conflict(page).getByRole('button', { name: 'Overwrite with yours' }).click()
    await expect(value(page)).toHaveText('mine')
    expect(await holds(memory, key)).toBe('mine')
  })

  await test.step('a page that is not what was asked for is an error', async () => {
    const key = { ...KEY, namespace: 'elsewhere' }
    await memory.store({ ...key, value: 'short' })
    await visit('/memory/elsewhere/plan')
    await page.route('**/memory/elsewhere/plan', (route) => route.fulfill({ contentType: 'text/html', body: '<title>Sign in</title>' }))
    await memory.store({ ...key, value: '<'.repeat(150_000) })
    await expect(toast(page, 'The entry could not be read')).toContainText('The server answered with another page: Sign in.')
  })
})

test('many keys come in pages, and by their beginning', { tag: '@soak' }, async ({ signedIn: page, visit, memory }) => {
  const some = Array.from({ length: 450 }, (_, i) => ({ namespace: 'demo', key: `k/${String(i).padStart(3, '0')}`, value: `v${i}` }))
  await memory.setMany([...some, { namespace: 'demo', key: 'other', value: 'x' }])
  await visit('/memory/demo')
  await expect(keys(page)).toHaveCount(200)
  await expect(page.getByText('200 of 451 are shown')).toBeVisible()
  await memory.store({ namespace: 'demo', key: 'k/000a', value: 'between' })
  await expect(keys(page).nth(1)).toHaveText('k/000a')
  await memory.store({ namespace: 'demo', key: 'k/449a', value: 'not yet' })
  await page.getByRole('link', { name: 'Show more' }).click()
  await expect(keys(page)).toHaveCount(401)
  await page.getByRole('link', { name: 'Show more' }).click()
  await expect(keys(page)).toHaveCount(453)
  await expect(keys(page).last()).toHaveText('other')

  await page.getByRole('searchbox', { name: /beginning of the key/ }).fill('k/44')
  await expect(keys(page)).toHaveCount(11)
  await expect(page).toHaveURL(/prefix=k%2F44/)
  await memory.store({ namespace: 'demo', key: 'k/444b', value: 'here' })
  await memory.store({ namespace: 'demo', key: 'm', value: 'not here' })
  await expect(keys(page)).toHaveCount(12)
  await page.reload()
  await expect(keys(page)).toHaveCount(12)
  await page.getByRole('searchbox', { name: /beginning of the key/ }).fill('nothing')
  await page.getByRole('region', { name: 'No key begins like this' }).getByRole('link').click()
  await expect(keys(page)).toHaveCount(200)
})

test('many keys that change in quick succession all show their last value', { tag: '@soak' }, async ({ signedIn: page, visit, memory }) => {
  const some = Array.from({ length: 150 }, (_, i) => `k${i}`)
  const store = (/** @type {number} */ n) => memory.setMany(some.map((key) => ({ namespace: 'demo', key, value: `${n} ${'x'.repeat(3000)}` })))
  await store(0)
  await visit('/memory/demo')
  for (let n = 1; n <= 6; n++) await store(n)
  await expect(keys(page)).toHaveCount(some.length)
  await expect(page.locator('.entry [data-f="value"]').filter({ hasNotText: /^6 / })).toHaveCount(0)
})

test('before the page is live its links lead to the forms of the server', async ({ signedIn: page, server, memory, noise }) => {
  noise.push(BROKEN)
  await memory.store({ ...KEY, value: 'one' })
  await page.route('**/connect', (route) => route.abort())
  for (const act of [() => page.getByRole('button', { name: 'Edit', exact: true }).click(), () => page.keyboard.press('e')]) {
    await page.goto(`${server.http}/memory/demo/plan`)
    await act()
    await expect(page.getByRole('textbox', { name: 'Value', exact: true })).toHaveValue('one')
    await expect(page).toHaveURL(/edit/)
  }
  await page.goto(`${server.http}/memory/demo/plan`)
  await page.getByRole('button', { name: 'Delete', exact: true }).first().click()
  await expect(page.getByRole('heading', { name: 'Delete plan?' })).toBeVisible()
})

test('nothing that axe finds', { tag: '@soak' }, async ({ signedIn: page, visit, memory }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await visit('/memory?new')
  await check(page, 'an empty memory and a form')
  await memory.store({ ...KEY, value: '{"a":"fox"}', ttl: 900_000 })
  await memory.store({ ...KEY, value: 'a fox' })
  await memory.store({ namespace: 'demo', key: 'raw', value: new Uint8Array([1, 0, 2]) })
  await visit('/memory?q=fox')
  await check(page, 'memory and a search')
  await visit('/memory/demo?q=fox')
  await check(page, 'a namespace')
  await visit('/memory/demo/plan')
  await versions(page).first().getByText('Changes').click()
  await check(page, 'an entry')
  await edit(page, 'mine')
  await memory.store({ ...KEY, value: 'theirs' })
  await expect(page.getByText(/^Meanwhile/)).toBeVisible()
  await check(page, 'a form while somebody else stores')
  await save(page)
  await conflict(page).getByText('What differs', { exact: true }).click()
  await conflict(page).getByText('Merge by hand').click()
  await conflict(page).getByRole('button', { name: 'Save the merge' }).click()
  await check(page, 'a conflict')
  await visit('/memory/demo/raw?delete')
  await check(page, 'bytes, and the question before a delete')
  await memory.delete({ namespace: 'demo', key: 'raw' })
  await expect(page.getByText('It was deleted by')).toBeVisible()
  await check(page, 'an entry that is gone')
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

  it('nothing is typed into what is being saved', async ({ page, server, link, memory, transport }) => {
    link.lead(server)
    const there = `http://localhost:${link.tcpPort}`
    await memory.store({ ...KEY, value: 'old' })
    await signIn(page, server)
    await page.goto(`${there}/memory/demo/plan`)
    await live(page, transport)
    await edit(page, 'mine')
    const typed = page.getByRole('textbox', { name: 'Value', exact: true })
    link.cut()
    await save(page)
    await expect(typed).not.toBeEditable()
    await memory.store({ ...KEY, value: 'theirs' })
    link.mend()
    await expect(conflict(page)).toBeVisible({ timeout: COMES_BACK })
    await conflict(page).getByRole('button', { name: 'Keep theirs' }).click()
    await page.keyboard.press('e')
    await expect(typed).toBeEditable()
    await expect(typed).toHaveValue('theirs')
  })

  it('what changed while it was cut is there afterwards', async ({ page, server, link, transport, memory }) => {
    link.lead(server)
    const there = `http://localhost:${link.tcpPort}`
    await memory.store({ namespace: 'demo', key: 'a', value: '1' })
    await memory.store({ namespace: 'demo', key: 'b', value: '1' })
    await signIn(page, server)
    await page.goto(`${there}/memory/demo`)
    await live(page, transport)
    await memory.store({ namespace: 'demo', key: 'c', value: '1' })
    await expect(keys(page)).toHaveText(['a', 'b', 'c'])
    link.cut()
    await expect(badge(page)).toHaveAccessibleName(/^Reconnecting/, { timeout: COMES_BACK })
    await memory.delete({ namespace: 'demo', key: 'a' })
    await memory.store({ namespace: 'demo', key: 'b', value: '2' })
    await memory.store({ namespace: 'demo', key: 'd', value: '1' })
    link.mend()
    await expect(badge(page)).toHaveAccessibleName(/^Web/, { timeout: COMES_BACK })
    await expect(keys(page)).toHaveText(['b', 'c', 'd'])
    await expect(row(page, 'b')).toContainText('2')
  })
})
