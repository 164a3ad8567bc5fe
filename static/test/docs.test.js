// Runs the examples of docs/javascript.md, one by one, against a real server, and checks that they do what the page says.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import * as library from '../client/index.js'

const binary = resolve(process.env.SKEIN_BIN ?? `${import.meta.dirname}/../../bin/skein`)
const fixture = new URL('../../e2e/fixtures/server.js', import.meta.url).href
const page = readFileSync(new URL('../../docs/javascript.md', import.meta.url), 'utf8')
const AsyncFunction = /** @type {new (...args: string[]) => (...args: any[]) => Promise<void>} */ (Object.getPrototypeOf(async () => {}).constructor)

/** Each example and the heading above it. */
function* examples() {
  for (const section of page.split(/^## /m).slice(1)) {
    let n = 0
    for (const [, code] of section.matchAll(/^```js\n(.*?)^```/gms)) yield { name: `${section.split('\n')[0]} ${++n}`, code }
  }
}

describe('docs/javascript.md', { skip: !existsSync(binary) && `${binary} is not built` }, () => {
  /** @type {any} */
  let server
  /** @type {library.Skein} */
  let skein
  before(async () => {
    server = new (await import(fixture)).Server()
    await server.start()
    skein = await library.connect(server.http, { token: server.token, WebSocket: /** @type {any} */ (WebSocket) })
  })
  after(async () => {
    skein.close()
    await server.close()
  })

  for (const { name, code } of examples()) {
    test(name, { timeout: 60_000 }, async () => {
      /** @type {string[]} */
      const printed = []
      const given = { ...library, WebSocket, url: server.http, token: server.token, skein, console: { log: (/** @type {any[]} */ ...args) => printed.push(args.join(' ').trim()) } }
      const body = code.replace(/^import .*\n/gm, '')
      await new AsyncFunction(...Object.keys(given), `{${body}}`)(...Object.values(given))
      for (const [, want] of code.matchAll(/\/\/ → (.*)$/gm)) assert.ok(printed.includes(want), `${want} is not among ${JSON.stringify(printed)}`)
    })
  }
})
