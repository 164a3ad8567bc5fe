/** @import { Terminal } from '@xterm/xterm' */

/**
 * Draws with WebGL where that can be had, otherwise with elements: Chromium takes contexts away from a page that has many, and a
 * driver may fail.
 * @param {Terminal} term
 */
export async function paint(term) {
  const gl = document.createElement('canvas').getContext('webgl2', { failIfMajorPerformanceCaveat: true })
  if (!gl) return
  gl.getExtension('WEBGL_lose_context')?.loseContext()
  try {
    const { WebglAddon } = await import('@xterm/addon-webgl')
    const addon = new WebglAddon()
    addon.onContextLoss(() => addon.dispose())
    term.loadAddon(addon)
  } catch {
    // it goes on with elements
  }
}
