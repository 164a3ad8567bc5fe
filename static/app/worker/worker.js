/**
 * The service worker. It shows the messages of the server (Message in server/push) as notifications, also while no page is open. It does not
 * touch how pages are loaded.
 */
import { clean } from '../lib/format.js'

/** @typedef {{kind?: string, id?: string, name?: string, text?: string, waiting?: number, all?: string[]}} Message */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (globalThis))

/** @param {string} path below the base path, which the worker is registered for */
const at = (path) => new URL(path, worker.registration.scope)

worker.addEventListener('install', () => void worker.skipWaiting())
worker.addEventListener('push', (e) => e.waitUntil(show(read(e.data))))
worker.addEventListener('notificationclick', (e) => {
  e.notification.close()
  e.waitUntil(open(String(e.notification.data?.id ?? '')))
})
worker.addEventListener('pushsubscriptionchange', (e) => e.waitUntil(renew(/** @type {PushSubscriptionChangeEvent} */ (e))))

/**
 * @param {PushMessageData | null} data
 * @returns {Message}
 */
function read(data) {
  try {
    return data?.json() ?? {}
  } catch {
    return {} // something is shown all the same: browsers take the permission from whoever shows nothing
  }
}

/**
 * @param {Message} m
 * @returns {{title: string, body: string, tag: string}}
 */
function words({ kind, id, name = '', text = '', waiting = 0 }) {
  if (kind === 'test') return { title: 'Skein notifies this browser', body: 'This is how it tells you that an agent waits for you.', tag: 'test' }
  if (kind === 'login') return { title: 'Skein notifies this browser no more', body: 'Its login has ended: sign in again.', tag: 'login' }
  if (kind !== 'ask' || !id) return { title: 'An agent waits for you', body: '', tag: 'inbox' }
  const more = waiting > 1 ? `${waiting} wait for you.` : ''
  return { title: `${clean(name) || 'An agent'} waits for you`, body: [clean(text), more].filter(Boolean).join('\n'), tag: id }
}

/**
 * Shows a message, without a sound if somebody looks at Skein, and removes what it showed of questions that wait no more.
 * @param {Message} m
 */
async function show(m) {
  const { title, body, tag } = words(m)
  const [shown, pages] = await Promise.all([worker.registration.getNotifications(), windows()])
  for (const note of shown) if (m.all && note.data?.id && !m.all.includes(note.data.id)) note.close()
  await badge(m.waiting)
  await worker.registration.showNotification(title, { body, tag, silent: pages.some((page) => page.focused), data: { id: m.kind === 'ask' ? m.id : '' } })
}

/** @param {number | undefined} waiting how many questions wait; undefined: the message does not say */
async function badge(waiting) {
  const app = /** @type {Partial<Pick<WorkerNavigator, 'setAppBadge' | 'clearAppBadge'>>} */ (worker.navigator)
  if (waiting === undefined) return
  await (waiting > 0 ? app.setAppBadge?.(waiting) : app.clearAppBadge?.())?.catch(() => {}) // the system shows none
}

const windows = () => worker.clients.matchAll({ type: 'window', includeUncontrolled: true })

/** @param {string} id of a question; '': none */
async function open(id) {
  const inbox = at('inbox')
  const page = (await windows()).find(({ url }) => new URL(url).pathname === inbox.pathname)
  if (!page) {
    inbox.hash = id
    await worker.clients.openWindow(inbox.href)
    return
  }
  page.postMessage({ reveal: id })
  await page.focus()
}

/**
 * Tells the server of the subscription that replaces another, which the browser or its push service has ended.
 * @param {PushSubscriptionChangeEvent} e
 */
async function renew({ oldSubscription: old, newSubscription }) {
  const applicationServerKey = old?.options.applicationServerKey ?? (await (await fetch(at('push'))).json()).key
  const next = newSubscription ?? (await worker.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }))
  await fetch(at('push'), { method: 'POST', body: JSON.stringify({ ...next.toJSON(), replaces: old?.endpoint ?? '' }) })
}
