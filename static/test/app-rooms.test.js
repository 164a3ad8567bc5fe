import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'

const folder = new URL('../app/', import.meta.url)

/** Which folders each folder of app may import from, besides itself and the client library. */
const ROOMS = {
  lib: [],
  list: ['lib'],
  artifact: ['lib', 'list'],
  fleet: ['lib', 'list'],
  inbox: ['lib'],
  memory: ['lib', 'list'],
  network: ['lib'],
  schedule: ['lib'],
  task: ['lib', 'list', 'artifact', 'inbox'],
  terminal: ['lib'],
  usage: ['lib'],
  wall: ['lib', 'fleet'],
  worker: ['lib'],
  changes: ['lib'],
  palette: ['lib', 'memory', 'task'], // lib loads it when it is first opened
  agent: ['lib', 'artifact', 'fleet', 'inbox', 'task', 'terminal'],
}

test('imports of the pages run one way: pages, their lists, what all share', () => {
  assert.deepEqual(readdirSync(folder).sort(), Object.keys(ROOMS).sort())
  for (const [room, may] of Object.entries(ROOMS)) {
    for (const name of readdirSync(new URL(room, folder))) {
      const text = readFileSync(new URL(`${room}/${name}`, folder), 'utf8')
      for (const [, from] of text.matchAll(/from '\.\.\/([a-z.]+)\//g)) {
        assert.ok(from === '..' || from === room || /** @type {string[]} */ (may).includes(from ?? ''), `${room}/${name} imports from ${from}`)
      }
    }
  }
})
