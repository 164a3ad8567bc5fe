import { Skein } from '../client/index.js'
import { connection } from './connection.js'
import { theme } from './theme.js'

/** What every page starts with: the theme, the session, the badge. */
export function page() {
  theme()
  const skein = new Skein({ url: location.origin, clientName: 'dashboard' })
  connection(skein)
  return skein
}
