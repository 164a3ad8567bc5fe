import { at } from '../lib/base.js'
import { busy, field, mark, one, settings, write } from '../lib/dom.js'
import { ago, clean } from '../lib/format.js'
import { sentence } from '../lib/pathwords.js'
import { tick } from '../lib/ticks.js'
import { messageOf } from '../lib/toast.js'

/** @typedef {{id: string, service: string, browser: string, since: string, sent_at?: string, failed_at?: string, failure?: string}} Known a subscription, as the server knows it (Record in server/push) */
/** @typedef {{off?: boolean, key?: string, subscriptions: Known[]}} State */

/** How long the browser may take to subscribe, in milliseconds. Without a network, Chromium tries for ever. */
const SUBSCRIBE_MS = 20_000

/** The setting that this browser is to be notified. */
const WANTED = 'push'

/**
 * Notifies this browser while no page is open in it, by Web Push. The control (closed in ui/inbox/push.templ) says what is possible here, and why
 * what is not.
 */
export class Push {
  #root = one(document, '#push')
  #button = /** @type {HTMLButtonElement} */ (one(this.#root, '[data-do="push"]'))
  #test = /** @type {HTMLButtonElement} */ (one(this.#root, '[data-do="test"]'))
  /** @type {State} */
  #state = { subscriptions: [] }
  #id = '' // of this browser's subscription; '': none

  constructor() {
    this.#root.hidden = false
    this.#button.addEventListener('click', () => this.#do(this.#button, () => (this.on ? this.#leave() : this.#join())))
    this.#test.addEventListener('click', () => this.#do(this.#test, () => this.#try()))
    field(this.#root, 'others').addEventListener('click', (e) => {
      const button = /** @type {HTMLButtonElement | null} */ (/** @type {Element} */ (e.target).closest('[data-id]'))
      if (button) void this.#do(button, () => this.#remove(button.dataset.id ?? ''))
    })
    void this.#do(this.#button, () => this.#open())
  }

  get on() {
    return this.#mine !== undefined
  }

  /** Whether this browser is notified of each question anyhow, so that the page need not. */
  get notifies() {
    return this.on && !this.#mine?.failed_at
  }

  get #mine() {
    return this.#state.subscriptions.find((s) => s.id === this.#id)
  }

  /**
   * Removes the notifications of questions that wait no more.
   * @param {string[]} waiting the ids of all that wait
   */
  async tidy(waiting) {
    for (const note of (await (await registered())?.getNotifications()) ?? []) if (note.data?.id && !waiting.includes(note.data.id)) note.close()
  }

  /**
   * Does what a button is for, and then shows how things are.
   * @param {HTMLButtonElement} button
   * @param {() => Promise<string | void>} what returns what is to be said
   */
  async #do(button, what) {
    busy(button, true)
    let said = ''
    try {
      said = (await what()) ?? ''
    } catch (e) {
      said = sentence(clean(messageOf(e)))
    }
    busy(button, false)
    this.#show(said)
  }

  /** Looks at what the browser and the server know. A server that has forgotten this browser, or has another key, is told again. */
  async #open() {
    this.#state = await request(at('/push'))
    const registration = obstacle(this.#state) ? undefined : await registered()
    const had = await registration?.pushManager.getSubscription()
    if (!registration || !had) return
    this.#id = await idOf(had.endpoint)
    if (settings.get(WANTED) === 'on' && (!this.on || !this.#fits(had))) await this.#subscribe(registration)
  }

  async #join() {
    if ((await Notification.requestPermission()) !== 'granted') return
    await this.#subscribe(await register())
    settings.set(WANTED, 'on')
  }

  /** @param {ServiceWorkerRegistration} registration */
  async #subscribe(registration) {
    const { pushManager } = registration
    const had = await pushManager.getSubscription()
    if (had && this.#fits(had) && (await this.#tell(had))) return
    await had?.unsubscribe()
    this.#say('said', 'The browser subscribes with its push service…')
    const got = await within(SUBSCRIBE_MS, pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.#state.key })).catch((e) => {
      throw new Error(e.name === 'NotAllowedError' ? 'the browser does not allow it' : `the browser could not subscribe with its push service, which a private window never can: ${e.message}`)
    })
    if (!(await this.#tell(got))) throw new Error('the push service has ended the subscription')
  }

  /** @param {PushSubscription} s @returns {boolean} whether it was made with the server's key */
  #fits({ options: { applicationServerKey: key } }) {
    return !key || base64url(key) === this.#state.key
  }

  /**
   * @param {PushSubscription} s
   * @returns {Promise<boolean>} false: the server does not take it: its push service has ended it
   */
  async #tell(s) {
    try {
      await request(at('/push'), JSON.stringify(s))
    } catch (e) {
      if (/** @type {{field?: string}} */ (e).field === 'endpoint') return false
      throw e
    }
    this.#id = await idOf(s.endpoint)
    this.#state = await request(at('/push'))
    return true
  }

  async #leave() {
    settings.set(WANTED, 'off')
    await this.#remove(this.#id)
    await (await (await registered())?.pushManager.getSubscription())?.unsubscribe()
  }

  /** @param {string} id */
  async #remove(id) {
    await request(at('/push/remove'), new URLSearchParams({ id }))
    this.#state = await request(at('/push'))
  }

  async #try() {
    const failed = await request(at('/push/test'), new URLSearchParams({ id: this.#id })).then(() => undefined, (e) => e)
    this.#state = await request(at('/push'))
    if (failed && !this.#mine?.failed_at) throw failed // else its record says why
    return failed ? '' : 'The push service has taken the message: a notification should appear in a moment. If none does, look at what the system allows the browser.'
  }

  /** @param {string} said how the last action went */
  #show(said) {
    const mine = this.#mine
    const why = obstacle(this.#state)
    write(field(this.#root, 'state'), mine && why ? 'On, but not possible here' : mine?.failed_at ? 'On, and the last message failed' : mine ? 'On' : why ? 'Not possible here' : 'Off')
    mark(this.#root, 'data-state', mine ? (mine.failed_at || why ? 'failed' : 'on') : 'off')
    this.#say('why', why)
    this.#say('last', mine ? last(mine) : '')
    this.#say('said', said)
    this.#button.hidden = why !== '' && !mine
    write(this.#button, mine ? 'Turn off' : 'Turn on')
    this.#test.hidden = !mine
    this.#others(this.#state.subscriptions.filter((s) => s !== mine))
  }

  /** @param {string} name @param {string} text */
  #say(name, text) {
    const el = field(this.#root, name)
    write(el, text)
    el.hidden = text === ''
  }

  /** @param {Known[]} others */
  #others(others) {
    const box = field(this.#root, 'others')
    const model = /** @type {HTMLTemplateElement} */ (one(box, 'template'))
    const list = one(box, 'ul')
    box.hidden = others.length === 0
    list.replaceChildren(...others.map((s) => {
      const item = /** @type {HTMLElement} */ (one(model.content, 'li').cloneNode(true))
      write(field(item, 'browser'), clean(s.browser))
      const since = field(item, 'since')
      since.dataset.at = s.since
      write(field(item, 'failure'), s.failed_at ? last(s) : '')
      const button = one(item, 'button')
      button.dataset.id = s.id
      button.setAttribute('aria-label', `Remove ${clean(s.browser)}`)
      return item
    }))
    tick(list)
  }
}

/** @param {Known} s */
function last({ sent_at, failed_at, failure = '' }) {
  const since = (/** @type {string} */ at) => ago(Date.now() - Date.parse(at))
  if (failed_at) return `The last message failed, ${since(failed_at)}: ${clean(failure)}`
  return sent_at ? `The last message was taken ${since(sent_at)}.` : 'Nothing was sent yet.'
}

/**
 * Says why this browser can't be notified on this page, and what to do; '' if it can.
 * @param {State} state
 */
function obstacle({ off }) {
  if (off) return 'It is turned off in the configuration of the server: the field push in skein.yaml.'
  if (!isSecureContext) return `Browsers allow it only on pages with a certificate that they trust, or on http://localhost; this one is ${location.origin}. Give Skein a certificate (--tls-cert, --tls-key), or put a proxy before it that has one.`
  if (!('serviceWorker' in navigator) || !('PushManager' in globalThis) || !('Notification' in globalThis)) return 'This browser has no Web Push here. Private windows have none; on an iPhone or iPad, add the page to the Home Screen and open it from there.'
  if (Notification.permission === 'denied') return `The browser does not allow this page to notify you, and it will not ask again. Allow notifications for ${location.host} in its settings: most browsers have them behind the icon beside the address. Then load this page again.`
  return ''
}

/** The service worker's registration, if there is one. */
async function registered() {
  return navigator.serviceWorker?.getRegistration(at('/')).catch(() => undefined)
}

async function register() {
  try {
    await navigator.serviceWorker.register(at('/sw.js'))
  } catch (e) {
    if (location.protocol !== 'https:') throw e
    throw new Error(`the browser runs no service worker here, most likely because it does not trust the page's certificate. Give Skein a certificate that it trusts (--tls-cert, --tls-key), or open Skein on http://localhost. The browser says: ${messageOf(e)}`)
  }
  return navigator.serviceWorker.ready
}

/**
 * @param {string} url
 * @param {string | URLSearchParams} [body] of a POST
 */
async function request(url, body) {
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', body })
  if (response.status === 204) return undefined
  const answer = await response.json().catch(() => undefined)
  if (!response.ok) throw Object.assign(new Error(answer?.error?.message ?? `the server answered ${response.status}`), { field: answer?.error?.data?.field })
  return answer
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
const within = (ms, promise) => Promise.race([promise, new Promise((_, fail) => setTimeout(() => fail(new Error('it does not answer')), ms))])

/** @param {ArrayBuffer} b */
const base64url = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')

/** @param {string} endpoint @returns {Promise<string>} the id by which the server knows it (IDOf in server/push) */
const idOf = async (endpoint) => base64url((await crypto.subtle.digest('SHA-256', new TextEncoder().encode(endpoint))).slice(0, 16))
