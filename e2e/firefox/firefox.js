import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import '../memory.js'

const { WebSocket } = createRequire(join(import.meta.dirname, '../../static/package.json'))('ws')

/** Debian's Firefox. Playwright drives only its own build of Firefox. */
const BINARY = process.env.FIREFOX ?? 'firefox-esr'

/** How long the browser may take to start, and to answer a command, in milliseconds. */
const START_MS = 120_000
const COMMAND_MS = 120_000

/** Preferences that keep the browser's own lookups and requests from leaving this machine. */
const PREFERENCES = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.safebrowsing.blockedURIs.enabled': false,
  'browser.safebrowsing.downloads.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.search.update': false,
  'browser.startup.page': 0,
  'datareporting.healthreport.uploadEnabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.dns.disableIPv6': true, // otherwise a name with two addresses may be tried at the one without a listener
  'services.settings.server': 'data:,',
  'toolkit.telemetry.server': '',
}

/** Firefox is a headless Firefox, driven by WebDriver BiDi. */
export class Firefox {
  #process
  #profile = mkdtempSync(join(tmpdir(), 'skein-firefox-'))
  #socket
  #next = 1
  /** @type {Map<number, {resolve: (result: any) => void, reject: (e: Error) => void}>} */
  #waiting = new Map()
  /** Uncaught errors of pages, and errors in their console. @type {string[]} */
  errors = []

  /** Starts one. The caller must close it. */
  static async start() {
    const firefox = new Firefox()
    try {
      await firefox.#start()
      return firefox
    } catch (e) {
      await firefox.close()
      throw e
    }
  }

  async #start() {
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
    writeFileSync(join(this.#profile, 'user.js'), lines.join(''))
    const args = ['--headless', '--no-remote', '--profile', this.#profile, '--remote-debugging-port', '0', 'about:blank']
    const child = (this.#process = spawn(BINARY, args, { env: { ...process.env, HOME: this.#profile }, stdio: ['ignore', 'ignore', 'pipe'] }))
    const url = await new Promise((resolve, reject) => {
      let said = ''
      const timer = setTimeout(() => reject(new Error(`${BINARY} does not listen after ${START_MS} ms:\n${said}`)), START_MS)
      createInterface({ input: child.stderr }).on('line', (line) => {
        said += `${line}\n`
        const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line)
        if (found) resolve(found[1])
        if (found) clearTimeout(timer)
      })
      child.on('error', reject)
      child.on('exit', (code, signal) => reject(new Error(`${BINARY} ended (${code ?? signal}):\n${said}`)))
    })
    this.#socket = new WebSocket(`${url}/session`)
    this.#socket.on('message', (data) => this.#receive(JSON.parse(data)))
    this.#socket.on('close', () => this.#fail(new Error('Firefox closed the connection')))
    await once(this.#socket, 'open')
    await this.#command('session.new', { capabilities: {} })
    await this.#command('session.subscribe', { events: ['log.entryAdded'] })
  }

  #receive({ id, type, method, params, result, error, message }) {
    if (type === 'event') {
      if (method === 'log.entryAdded' && params.level === 'error') this.errors.push(params.text)
      return
    }
    const waits = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (type === 'error') waits?.reject(new Error(`${error}: ${message}`))
    else waits?.resolve(result)
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  /**
   * @param {string} method
   * @param {object} params
   * @returns {Promise<any>}
   */
  async #command(method, params) {
    const id = this.#next++
    const timer = setTimeout(() => this.#receive({ id, type: 'error', error: 'timeout', message: `${method} is not answered after ${COMMAND_MS} ms: ${params.functionDeclaration ?? ''}` }), COMMAND_MS)
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject })
        this.#socket.send(JSON.stringify({ id, method, params }))
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Opens a tab. */
  async page() {
    const { context } = await this.#command('browsingContext.create', { type: 'tab' })
    return new Page((method, params) => this.#command(method, params), context)
  }

  async close() {
    this.#socket?.terminate()
    const child = this.#process
    if (child?.pid && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

/** Page is a tab. */
export class Page {
  #command
  #context

  constructor(command, context) {
    this.#command = command
    this.#context = context
  }

  /** @param {string} url */
  async goto(url) {
    await this.#command('browsingContext.navigate', { context: this.#context, url, wait: 'complete' })
  }

  /**
   * Calls a function in the page and returns its result. Arguments and result must be JSON values.
   * @param {Function} f
   * @param {...unknown} args
   */
  async evaluate(f, ...args) {
    const { result, exceptionDetails } = await this.#command('script.callFunction', {
      functionDeclaration: `async (args) => JSON.stringify(await (${f})(...JSON.parse(args))) ?? 'null'`,
      arguments: [{ type: 'string', value: JSON.stringify(args) }],
      target: { context: this.#context },
      awaitPromise: true,
    })
    if (exceptionDetails) throw new Error(`in the page: ${exceptionDetails.text}`)
    return JSON.parse(result.value)
  }

  /**
   * Waits until a function in the page returns something truthy, and returns that.
   * @param {Function} f
   * @param {...unknown} args
   */
  async until(f, ...args) {
    return this.evaluate(
      `async (...args) => {
        for (;;) {
          const found = await (${f})(...args)
          if (found) return found
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }`,
      ...args,
    )
  }
}
