/** The colours of terminals. They are always dark, since programs are told so (server/vt/query.go). */
export const THEME = {
  background: '#121418', foreground: '#e6e6e6', cursor: '#e6e6e6', cursorAccent: '#121418', selectionBackground: '#3a5a8c',
  black: '#2e3436', red: '#f14c4c', green: '#4e9a06', yellow: '#c4a000', blue: '#5c9be0', magenta: '#b386ae', cyan: '#06989a', white: '#d3d7cf',
  brightBlack: '#8a8d88', brightRed: '#ff6b6b', brightGreen: '#8ae234', brightYellow: '#fce94f', brightBlue: '#8ab8ec', brightMagenta: '#c9a0c5', brightCyan: '#34e2e2', brightWhite: '#eeeeec',
}
