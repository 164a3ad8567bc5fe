/** The page of what agents have spent. The server rendered it; this script asks for it again while somebody looks. */
import { listen } from '../lib/keys.js'
import { parse, showParts } from '../lib/morph.js'
import { page } from '../lib/page.js'

/** How old what is shown may be, in milliseconds. */
const OLD_MS = 10_000

page()
listen({})

/** Shows the page as it is now. One that can't be had stays as it was: the badge says what is the matter. */
async function refresh() {
  if (document.hidden) return
  try {
    const response = await fetch(`${location.pathname}?part=1`)
    if (response.ok) showParts(parse(await response.text()))
  } catch {
    // the next time
  }
}
setInterval(refresh, OLD_MS)
document.addEventListener('visibilitychange', refresh)
