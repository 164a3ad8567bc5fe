/** @import { CallOptions } from './rpc.js' */

/**
 * Reads a list page by page, because a message is bounded: to its end, or until it has `params.limit` records. The `next`
 * of the result is the `after` for reading on; it is absent at the end.
 * @param {(method: string, params: object, options?: CallOptions) => Promise<any>} call
 * @param {string} method
 * @param {string} name the name of the records in a page
 * @param {{limit?: number, after?: string | number}} params
 * @param {CallOptions} [options]
 * @returns {Promise<any>} the first page, with the records of all pages
 */
export async function pages(call, method, name, params, options) {
  let { limit = 0, after } = params
  /** @type {any} */
  let all
  for (;;) {
    const page = await call(method, { ...params, ...(after && { after }), ...(limit > 0 && { limit }) }, options)
    const records = page[name] ?? []
    if (all) for (const record of records) all[name].push(record)
    else all = { ...page, [name]: records }
    const full = limit > 0 && records.length >= limit
    if (!page.next || full || records.length === 0) {
      if (page.next) all.next = page.next
      else delete all.next
      return all
    }
    if (limit > 0) limit -= records.length
    after = page.next
  }
}
