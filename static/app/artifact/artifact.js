/**
 * How artifacts are written. The same rules stand in ui/artifact/artifacts.go, for the first render; ui/testdata/value.json holds
 * both.
 */
import { at } from '../lib/base.js'
import { field, mark, shape, write } from '../lib/dom.js'
import { ago, bytes, clean, percent, shortId, shortTaskId } from '../lib/format.js'

/** @import { Artifact } from '../../client/types.js' */

/** How long an upload may bring nothing before it is called paused, in milliseconds. */
const STALLED = 10_000

const WORDS = { complete: 'Complete', uploading: 'Uploading', paused: 'Paused' }
const GLYPHS = { complete: 'completed', uploading: 'starting', paused: 'stopping' }

/**
 * @param {Artifact} a
 * @param {number} now
 * @returns {keyof typeof WORDS}
 */
export function artifactState(a, now) {
  if (a.state === 'complete') return 'complete'
  return now - Date.parse(a.updated_at) > STALLED ? 'paused' : 'uploading'
}

/**
 * @param {Artifact} a
 * @param {number} now
 */
export function artifactWord(a, now) {
  const word = WORDS[artifactState(a, now)]
  return a.state === 'uploading' && a.size > 0 ? `${word} at ${percent(artifactDone(a))}` : word
}

/** @param {Artifact} a the part that has come; 0 where the size is not known */
export function artifactDone(a) {
  if (a.state === 'complete') return 1
  return a.size > 0 ? a.received / a.size : 0
}

/** @param {Artifact} a */
export const artifactSize = (a) => (a.size < 0 ? `${bytes(a.received)} so far` : bytes(a.size))

/** @param {string} sum */
export const shortHash = (sum) => sum.slice(0, 10)

/** @param {string} id */
export const contentURL = (id) => at(`/artifacts/${encodeURIComponent(id)}/content`)

/**
 * Fills the component ui/artifact/artifacts.templ calls artifactRow in.
 * @param {HTMLElement} el
 * @param {Artifact} a
 * @param {(id: string) => string | undefined} nameOf agents
 */
export function fillArtifact(el, a, nameOf) {
  const f = (/** @type {string} */ name) => field(el, name)
  const now = Date.now()
  const name = clean(a.name)
  const state = artifactState(a, now)
  const done = state === 'complete'
  mark(el, 'data-id', a.id)
  mark(el, 'data-state', state)
  write(f('name'), name)
  mark(f('name'), 'href', done ? contentURL(a.id) : null)
  write(f('id'), shortId(a.id))
  mark(f('id'), 'title', a.id)
  write(f('size'), artifactSize(a))
  write(f('type'), clean(a.media_type))
  from(el, a, nameOf)
  mark(f('status'), 'data-state', state)
  shape(f('glyph'), `s-${GLYPHS[state]}`)
  write(f('word'), artifactWord(a, now))
  mark(f('bar'), 'value', artifactDone(a).toFixed(3))
  mark(f('bar'), 'aria-label', `Upload of ${name}`)
  f('bar').hidden = done
  sum(el, a, name)
  mark(f('created'), 'datetime', a.created_at)
  mark(f('created'), 'title', a.created_at)
  write(f('created'), ago(now - Date.parse(a.created_at)))
  f('download').hidden = !done
  mark(f('download'), 'href', contentURL(a.id))
  mark(f('download'), 'aria-label', `Download ${name}`)
  mark(f('delete'), 'aria-label', `Delete ${name}`)
  f('resume').hidden = state !== 'paused'
  mark(f('resume'), 'aria-label', `Resume the upload of ${name}`)
}

/**
 * @param {HTMLElement} el
 * @param {Artifact} a
 * @param {(id: string) => string | undefined} nameOf
 */
function from(el, a, nameOf) {
  const agent = field(el, 'agent')
  const task = field(el, 'task')
  const actor = field(el, 'actor')
  agent.hidden = !a.agent
  task.hidden = !a.task
  actor.hidden = Boolean(a.agent || a.task)
  if (a.agent && agent.getAttribute('href') !== at(`/agents/${a.agent}`)) {
    mark(agent, 'href', at(`/agents/${encodeURIComponent(a.agent)}`))
    write(agent, shortId(a.agent))
  }
  const known = nameOf(a.agent ?? '')
  if (known) write(agent, clean(known))
  if (a.task && task.getAttribute('href') !== at(`/tasks/${a.task}`)) {
    mark(task, 'href', at(`/tasks/${encodeURIComponent(a.task)}`))
    write(task, `task ${shortTaskId(a.task)}`)
  }
  write(actor, clean(a.actor ?? '') || '–')
}

/**
 * @param {HTMLElement} el
 * @param {Artifact} a
 * @param {string} name
 */
function sum(el, a, name) {
  const code = field(el, 'sum')
  write(code, shortHash(a.sha256 ?? ''))
  mark(code, 'title', a.sha256 ?? '')
  const copy = field(el, 'copy')
  copy.hidden = !a.sha256
  mark(copy, 'aria-label', `Copy the SHA-256 of ${name}`)
}
