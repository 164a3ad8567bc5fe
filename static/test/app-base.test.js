import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { at } from '../app/lib/base.js'
import { entryURL } from '../app/memory/value.js'

const folder = new URL('../app/', import.meta.url)

test('every path of this server is made with at, so that it has the base path', () => {
  let seen = 0
  for (const name of readdirSync(folder, { encoding: 'utf8', recursive: true })) {
    if (!name.endsWith('.js') || name.endsWith('slash.js')) continue // where a slash begins a command
    const lines = readFileSync(new URL(name, folder), 'utf8').split('\n')
    for (const [i, line] of lines.entries()) {
      if (/^\s*(\/\/|\*|\/\*)|\bfrom '/.test(line)) continue
      const paths = line.match(/['"`]\/(?=[\w?$'"`])(?!['"`]: )/g)?.length ?? 0 // '/': is a key on the keyboard, not a path
      const through = line.match(/\bat\((\w[^()]* \? )?['"`]\//g)?.length ?? 0
      const either = /\bat\([^()]* \? [^:]* : '\/\w*'\)/.test(line) ? 1 : 0
      assert.equal(paths, through + either, `${name}:${i + 1}: ${line}`)
      seen += paths
    }
  }
  assert.ok(seen > 10, `${seen} paths were found`)
})

test('the page has the base path', (t) => {
  assert.equal(at('/tasks'), '/tasks')
  Object.assign(globalThis, { document: { documentElement: { dataset: { base: '/skein' } } } })
  t.after(() => Reflect.deleteProperty(globalThis, 'document'))
  assert.equal(at('/tasks'), '/skein/tasks')
  assert.equal(entryURL('demo', 'a'), '/skein/memory/demo/a')
})
