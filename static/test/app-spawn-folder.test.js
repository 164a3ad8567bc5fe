import assert from 'node:assert/strict'
import { test } from 'node:test'

globalThis.document ??= /** @type {any} */ ({ querySelector: () => null })
const { folderOf } = await import('../app/fleet/spawn.js')

test('an agent like another one works where that one did, or in a folder that is made in the same way', () => {
  for (const [a, want] of /** @type {[any, object][]} */ ([
    [{ id: 'a1' }, {}],
    [{ id: 'a1', cwd: '/data/agents/a1', folder: { mode: 'fresh' } }, {}],
    [{ id: 'a1', cwd: '/srv/x', folder: { mode: 'shared' } }, { cwd: '/srv/x', folder: 'shared' }],
    [{ id: 'a1', cwd: '/srv/x', folder: { mode: 'shared', share: true } }, { cwd: '/srv/x', folder: 'shared', share: true }],
    [{ id: 'a1', cwd: '/data/worktrees/a1/x/sub', folder: { mode: 'worktree', repo: '/srv/x', top: '/data/worktrees/a1/x' } }, { cwd: '/srv/x/sub', folder: 'worktree' }],
    [{ id: 'a1', cwd: '/srv/x', folder: undefined }, { cwd: '/srv/x' }],
  ])) assert.deepEqual(folderOf(a), want)
})
