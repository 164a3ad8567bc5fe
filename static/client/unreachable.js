import { ConnectError, messageOf } from './errors.js'

/** How many errors of a chain of causes are examined. */
const MAX_CAUSES = 5

/**
 * Explains why a fetch failed. Node, Deno and Bun give the reason as the cause of their "fetch failed"; browsers do not tell it.
 * @param {string} url
 * @param {unknown} e
 */
export function outOfReach(url, e) {
  const all = causes(e)
  const reason = messageOf(all[all.length - 1])
  const untrusted = all.some(isUntrusted)
  if (!untrusted) return new ConnectError('connect_failed', `${url} is out of reach: ${reason}`, { cause: e })
  return new ConnectError('untrusted_certificate', `the certificate of ${url} is not trusted here (${reason}): ${remedy()}`, { cause: e, final: true })
}

/**
 * An error and its causes.
 * @param {any} e
 */
function causes(e) {
  const all = [e]
  for (let next = e; all.length < MAX_CAUSES; all.push(next)) {
    next = next?.cause ?? next?.errors?.[0] // there is one error for each address that was tried
    if (next === undefined || next === null) break
  }
  return all
}

/** Error codes of OpenSSL, which Node and Bun pass on. Deno has only a message. */
const UNTRUSTED = /^(DEPTH_ZERO_)?SELF_SIGNED_CERT|^UNABLE_TO_(VERIFY|GET_ISSUER)|^CERT_|^ERR_TLS_CERT/

/** @param {any} e */
const isUntrusted = (e) => UNTRUSTED.test(String(e?.code)) || /invalid peer certificate/.test(messageOf(e))

function remedy() {
  const variable = 'Deno' in globalThis ? 'DENO_CERT' : 'NODE_EXTRA_CA_CERTS'
  return (
    "on the server's own machine use its http address; elsewhere give the server a certificate that clients can check (--tls-cert), " +
    `or start this program with ${variable}=FILE, where FILE is its development certificate, tls/dev.crt in its data folder`
  )
}
