import { Skein } from '../../client/index.js'
import { admission } from './admission.js'
import { followAsks } from './asks.js'
import { at } from './base.js'
import { connection } from './connection.js'
import { emergency } from './emergency.js'
import { forced, forcedLine } from './forced.js'
import { everywhere } from './keys.js'
import { openLongest } from './longest.js'
import { palette } from './palette.js'
import { theme } from './theme.js'
import { trail } from './trail.js'

/** @import { Shown } from './asks.js' */

/**
 * Starts what every page has: the theme, the session, the connection badge, the line about a forced transport, the banner
 * while admission is closed, the emergency stop, the search for anything, the number of questions, and the key that leads to the
 * oldest of them.
 * @param {{asks?: Shown}} [options] asks: what the page shows of the questions
 */
export function page({ asks } = {}) {
  theme()
  document.querySelector('.nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' }) // a phone does not show all links
  const skein = new Skein({ url: location.origin + at('/'), clientName: 'dashboard', transport: forced(), log: (what, detail) => trail.add(what, detail) })
  connection(skein)
  forcedLine(skein)
  admission(skein)
  palette(skein, { stop: emergency(skein) })
  void followAsks(skein, asks)
  everywhere.g = () => void openLongest(skein)
  return skein
}
