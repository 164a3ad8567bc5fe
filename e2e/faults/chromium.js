// Runs cells of the fault matrix in Chromium: each is a separate page with the client library that the server serves.
// Commands come on standard input and reports go to standard output, as lines of JSON; cell_test.go defines them and has
// the same cell in Go.
import { createInterface } from 'node:readline'
import { chromium } from '@playwright/test'
import { CHROMIUM } from '../chromium.js'

/** What a cell does. */
const WORK = {
  counters: 3,
  counterScript: 'repeat forever\nsay ${i}\nwait 100ms\nend',
  inputMS: 100,
  spawnMS: 500,
  reportMS: 200,
  maxUnanswered: 32,
}

const tell = (report) => console.log(JSON.stringify(report))

const [url, token] = process.argv.slice(2)
const browser = await chromium.launch({
  ...CHROMIUM,
  args: [...CHROMIUM.args, `--unsafely-treat-insecure-origin-as-secure=${url}`], // localhost is secure by default, this host is not
})
const context = await browser.newContext({ bypassCSP: true }) // so that a page can import the server's library without a nonce
const pages = new Map()
const signedIn = signIn()
signedIn.catch(() => {}) // each page reports the failure

for await (const line of createInterface({ input: process.stdin })) {
  const { begin, finish, stop } = JSON.parse(line)
  const job = begin ?? stop
  if (job) open(job, begin ? cell : stopEach).catch((e) => tell({ cell: job.cell, error: `${e.stack ?? e}` }))
  else pages.get(finish).evaluate(() => globalThis.finish()).catch((e) => tell({ cell: finish, error: `${e.stack ?? e}` }))
}
await browser.close()

/** Signs in as the login page does, without a page. */
async function signIn() {
  const response = await context.request.post(`${url}/login`, { form: { token }, headers: { origin: url }, maxRedirects: 0 })
  if (response.status() !== 303) throw new Error(`the login is answered with ${response.status()}`)
}

async function open(job, work) {
  await signedIn
  const page = await context.newPage()
  pages.set(job.cell, page)
  page.on('console', (m) => console.error(`${job.cell}: ${m.text()}`))
  page.on('pageerror', (e) => tell({ cell: job.cell, error: `uncaught ${e.stack ?? e}` }))
  page.on('crash', () => tell({ cell: job.cell, error: 'the page crashed' }))
  await page.exposeFunction('tell', (report) => tell({ cell: job.cell, ...report }))
  await page.exposeFunction('leave', () => void page.close())
  await page.goto(`${url}/healthz`) // an empty page
  await page.evaluate(work, { job, WORK })
}

/** Runs in the page. */
async function cell({ job, WORK }) {
  const { Skein } = await import('/static/skein.js')
  const fail = (what) => (e) => globalThis.tell({ error: `${what}: ${e.stack ?? e}` })
  const log = (what, detail) => console.info(new Date().toISOString(), what, JSON.stringify(detail))
  const skein = new Skein({ transport: job.transport, clientName: job.cell, log })
  const sessions = []
  skein.addEventListener('connectionchange', () => skein.connection.session && sessions.push(skein.connection.transport))
  await skein.ready
  const ids = ({ agents }) => agents.map(({ id }) => id)
  const counters = ids(await skein.spawn({ type: 'scripted', name: job.cell, script: WORK.counterScript, count: WORK.counters }))
  const [sink] = ids(await skein.spawn({ type: 'shell', name: `${job.cell}-sink`, argv: ['tee', '-a', job.inputs] }))

  const events = {}
  const seqs = {}
  let last = performance.now()
  let gap = 0
  const now = () => {
    const time = performance.now()
    gap = Math.max(gap, time - last)
    last = time
  }
  const follow = async (id) => {
    events[id] = []
    for await (const { seq = 0, type, data } of skein.events(id, { follow: true })) {
      now()
      seqs[id] = seq
      events[id].push({ seq, type, text: data?.text ?? '' })
    }
  }
  const following = [sink, ...counters].map((id) => follow(id).catch(fail(`follow ${id}`)))

  const where = () => globalThis.tell({ at: { transport: skein.connection.transport ?? '', seqs } })
  const reporting = setInterval(where, WORK.reportMS)
  const answers = []
  const spawned = {}
  let inputs = 0
  let unanswered = 0
  let spawns = 0
  const inputting = setInterval(() => {
    if (unanswered === WORK.maxUnanswered) return
    const n = ++inputs
    unanswered++
    answers.push(skein.input(sink, `${n}\n`).catch(fail(`input ${n}`)).finally(() => unanswered--))
  }, WORK.inputMS)
  const spawning = setInterval(() => {
    const name = `${job.cell}-spawn-${++spawns}`
    const argv = ['sh', '-c', 'echo "$0" >> "$1"', name, job.spawns]
    answers.push(skein.spawn({ type: 'shell', name, argv }).then((r) => ([spawned[name]] = ids(r))).catch(fail(`spawn ${name}`)))
  }, WORK.spawnMS)
  globalThis.finish = async () => {
    clearInterval(inputting)
    clearInterval(spawning)
    await Promise.all(answers)
    now()
    globalThis.tell({ sent: { inputs, spawned, gap_ms: Math.round(gap), sessions } })
    await Promise.all(following)
    clearInterval(reporting)
    skein.close()
    globalThis.tell({ events })
    globalThis.leave()
  }
  globalThis.tell({ ready: { counters, sink } })
}

/** Runs in the page: one agent after the other. */
async function stopEach({ job }) {
  const { Skein } = await import('/static/skein.js')
  const skein = new Skein({ transport: job.transport, clientName: job.cell })
  await skein.ready
  const took = []
  for (const id of job.agents) {
    const began = performance.now()
    const { reports } = await skein.stop({ ids: [id] })
    took.push(performance.now() - began)
    const [{ already, leftovers }] = reports
    if (already || leftovers?.length) throw new Error(`the stop of ${id} reports ${JSON.stringify(reports)}`)
  }
  skein.close()
  globalThis.tell({ took })
  globalThis.leave()
}
