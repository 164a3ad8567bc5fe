import { clean } from '../lib/format.js'

/** How many labels or nodes the filters offer. ui/fleet/fleet.templ has the same bound. */
const MAX_OFFERED = 100

/**
 * Offers values to filter by.
 * @param {HTMLSelectElement} select
 * @param {Set<string>} values
 * @param {string} chosen
 * @param {number} least without so many, there is nothing to choose
 */
export function offer(select, values, chosen, least) {
  select.hidden = values.size < least && !chosen
  const all = [...values].sort().slice(0, MAX_OFFERED)
  if (chosen && !all.includes(chosen)) all.push(chosen)
  if (select.options.length === 1 + all.length && all.every((v, i) => select.options[1 + i]?.value === v)) return
  for (const option of [...select.options].slice(1)) option.remove()
  for (const value of all) select.add(new Option(clean(value), value))
  select.value = chosen
}
