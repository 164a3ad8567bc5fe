import { pages } from './pages.js'

/** @import * as wire from './types.js' */
/** @import { CallOptions } from './rpc.js' */

/**
 * @template P, R
 * @callback Does
 * @param {P} params
 * @param {CallOptions} [options]
 * @returns {Promise<R>}
 */

/**
 * @typedef {object} Schedules
 * @property {Does<wire.ScheduleInit, wire.Schedule>} set makes a schedule, or replaces that with `id`
 * @property {(params?: wire.ScheduleListParams, options?: CallOptions) => Promise<wire.ScheduleListResult>} list by name: all of them, or
 *   `limit`; with the `position` of an earlier list as `since`, it waits for a change, for `wait_ms` at most
 * @property {Does<string, wire.Schedule>} get
 * @property {Does<string, {}>} delete
 * @property {Does<string, wire.Schedule>} pause
 * @property {Does<string, wire.Schedule>} resume
 * @property {Does<string, wire.Task>} run submits its task now, once
 * @property {Does<wire.SchedulePreviewParams, wire.SchedulePreview>} preview when a schedule would run
 */

/**
 * @param {(method: string, params: object, options?: CallOptions) => Promise<any>} call
 * @returns {Schedules}
 */
export function schedules(call) {
  /** @type {(name: string) => Does<any, any>} */
  const does = (name) => (params, options) => call('schedule.' + name, params.trim ? { id: params } : params, options)
  return {
    set: does('set'),
    list: (params = {}, options) => pages(call, 'schedule.list', 'schedules', params, options),
    get: does('get'),
    delete: does('delete'),
    pause: does('pause'),
    resume: does('resume'),
    run: does('run'),
    preview: does('preview'),
  }
}
