import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pulse } from '../client/pulse.js'

const SECOND = 1000
const HOUR = 3_600_000

/**
 * A session on a clock that the test advances. `go` advances it tick by tick; `sleep` makes it jump, as when a laptop
 * sleeps, so that timers are late.
 * @param {import('node:test').TestContext} t
 * @param {number | undefined} trip how long an answer takes, in milliseconds; undefined: there are no answers
 */
function session(t, trip = 50) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_800_000_000_000 })
  const began = Date.now()
  const now = () => Date.now() - began
  /** @type {string[]} */
  const told = []
  const s = {
    pulse: /** @type {Pulse} */ (/** @type {unknown} */ (undefined)),
    pings: /** @type {number[]} */ ([]),
    told,
    now,
    answers: (/** @type {number | undefined} */ ms) => void (trip = ms),
    go: (/** @type {number} */ ms) => {
      for (const end = now() + ms; now() < end; ) t.mock.timers.tick(Math.min(10, end - now()))
    },
    sleep: (/** @type {number} */ ms) => t.mock.timers.setTime(Date.now() + ms),
  }
  s.pulse = new Pulse({
    pingMs: 5 * SECOND,
    now,
    ping: () => {
      s.pings.push(now())
      const ms = trip
      if (ms === undefined) return
      setTimeout(() => {
        s.pulse.heard()
        s.pulse.answered(ms)
      }, ms)
    },
    doubt: () => told.push(`doubt ${now()}`),
    relief: () => told.push(`relief ${now()}`),
    dead: () => (told.push(`dead ${now()}`), s.pulse.stop()),
  })
  t.after(() => s.pulse.stop())
  s.pulse.start()
  return s
}

test('a quiet session costs a ping every five seconds, and nothing else', (t) => {
  const s = session(t)
  s.go(61 * SECOND)
  assert.deepEqual(s.pings, Array.from({ length: 13 }, (_, i) => i * 5 * SECOND))
  assert.deepEqual(s.told, [])
})

test('a session that speaks now and then costs at most one probe between two pings', (t) => {
  const s = session(t)
  for (let i = 0; i < 30; i++) {
    s.go(2 * SECOND)
    s.pulse.heard()
  }
  assert.ok(s.pings.length > 13, 'it was probed')
  assert.ok(s.pings.length <= 2 * 13, `${s.pings.length} pings in a minute`)
  assert.deepEqual(s.told, [])
})

test('requests that take their time cost one probe each, and no doubt', (t) => {
  const s = session(t)
  s.go(SECOND)
  s.pulse.asked() // its answer takes a minute
  s.go(59 * SECOND)
  assert.equal(s.pings.length, 13 + 1)
  assert.deepEqual(s.told, [])
})

test('a request that nobody answers: a probe after a second, a doubt after another', (t) => {
  const s = session(t)
  s.go(12 * SECOND)
  s.answers(undefined)
  s.pulse.asked()
  s.go(3 * SECOND)
  assert.deepEqual(s.pings, [0, 5000, 10_000, 13_000, 15_000])
  assert.deepEqual(s.told, ['doubt 14000'])
})

test('output that stops: a probe and a doubt likewise, after its last byte', (t) => {
  const s = session(t)
  for (let i = 0; i < 20; i++, s.go(100)) s.pulse.heard()
  s.answers(undefined)
  s.go(4 * SECOND)
  assert.deepEqual(s.told, ['doubt 3900'])
})

test('a session that had nothing to say is doubted two seconds after the next ping', (t) => {
  const s = session(t)
  s.go(2 * SECOND)
  s.answers(undefined)
  s.go(6 * SECOND)
  assert.deepEqual(s.told, ['doubt 7000'])
})

test('two pings that nobody answers are the end, as ever; probes do not count', (t) => {
  const s = session(t)
  s.go(4 * SECOND)
  s.answers(undefined)
  for (let i = 0; i < 10; i++) s.pulse.probe()
  s.go(20 * SECOND)
  assert.deepEqual(s.told, ['doubt 5000', 'dead 15000'])
})

test('whatever comes ends a doubt, but it is no answer to a ping', (t) => {
  const s = session(t)
  s.go(SECOND)
  s.answers(undefined)
  s.pulse.asked()
  s.go(2500)
  assert.deepEqual(s.told, ['doubt 3000'])
  s.pulse.heard()
  assert.deepEqual(s.told, ['doubt 3000', 'relief 3500'])
  for (let i = 0; i < 120; i++, s.go(100)) s.pulse.heard()
  assert.equal(s.told[2], 'dead 15000')
  assert.equal(s.told.length, 3)
})

test('a slow path gets four round trips', (t) => {
  const s = session(t, 800)
  s.go(12 * SECOND)
  s.answers(undefined)
  s.pulse.asked()
  s.go(6300)
  assert.deepEqual(s.told, [])
  s.go(200)
  assert.deepEqual(s.told, ['doubt 18400'])
})

for (const [ms, told] of /** @type {[number, RegExp][]} */ ([
  [10, /^$/], // asked
  [1500, /^$/], // probed
  [5500, /^doubt 4000,relief 36\d{5}$/],
  [10_500, /^doubt 4000,relief 36\d{5}$/], // two pings are unanswered
])) {
  test(`a laptop that slept asks first, and closes nothing: nothing had come for ${ms} ms`, (t) => {
    const s = session(t)
    s.go(2 * SECOND)
    s.answers(undefined) // the answer to the last ping arrives while the machine sleeps
    s.pulse.asked()
    s.go(ms)
    s.sleep(HOUR)
    s.answers(50)
    s.go(20 * SECOND)
    assert.match(s.told.join(), told)
    assert.ok(s.pings.some((at) => at >= HOUR + ms && at < HOUR + ms + 3 * SECOND), `it asked at ${s.pings}`)
  })
}

test('a laptop whose session died in its sleep notices two seconds after its first timer', (t) => {
  const s = session(t)
  s.go(6 * SECOND)
  s.answers(undefined)
  s.pulse.asked()
  s.go(900)
  s.sleep(HOUR)
  s.go(1200)
  assert.equal(s.told.length, 1)
  assert.match(s.told[0], /^doubt 36078\d\d$|^doubt 36079\d\d$|^doubt 36080\d\d$/)
})

test('a tab whose timers come once a minute keeps its session, and notices that it is dead', (t) => {
  const s = session(t)
  const minute = () => {
    s.sleep(59 * SECOND) // no timer runs, but bytes still arrive
    s.pulse.heard()
    s.pulse.answered(50)
    s.go(SECOND)
  }
  for (let i = 0; i < 10; i++) minute()
  assert.deepEqual(s.told, [])
  s.answers(undefined)
  for (let i = 0; i < 6; i++) {
    s.sleep(59 * SECOND)
    s.go(SECOND)
  }
  assert.match(s.told[0], /^doubt/)
  s.go(11 * SECOND)
  assert.match(s.told.at(-1) ?? '', /^dead/)
})

test('a session that has ended reports nothing', (t) => {
  const s = session(t)
  s.answers(undefined)
  s.pulse.asked()
  s.pulse.stop()
  s.pulse.asked()
  s.pulse.heard()
  s.pulse.probe()
  s.go(HOUR)
  assert.deepEqual(s.told, [])
  assert.deepEqual(s.pings, [0])
})
