#!/usr/bin/env bash
# @google/gemini-cli 0.61.0: an ACP client that chooses its first login method gets a terminal's screen on the channel of the protocol.
#
# In ACP (v1, transports: stdio) an agent writes nothing to standard output that is no message. Started with --acp, and asked to
# authenticate with "oauth-personal", which it offered itself, Gemini CLI switches standard output to the alternate screen of a
# terminal, and prints a URL and a prompt for a code there. The request is not answered.
#
# Needs: Node, npm. As root it runs without a network, in a namespace. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" @google/gemini-cli@0.61.0 >npm.log 2>&1 || { cat npm.log >&2; exit 1; }

cat >main.mjs <<'JS'
import { spawn } from 'node:child_process'

const agent = spawn('node_modules/.bin/gemini', ['--acp'], { env: { PATH: process.env.PATH, HOME: process.cwd() }, stdio: ['pipe', 'pipe', 'ignore'] })
let out = ''
const until = (what, seen) =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not within a minute: ${what}`)), 60_000)
    const look = () => seen() && (clearTimeout(late), agent.stdout.off('data', look), resolve())
    agent.stdout.on('data', look)
    look()
  })
agent.stdout.setEncoding('utf8').on('data', (text) => (out += text))
const send = (message) => agent.stdin.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n')

console.log('version:  @google/gemini-cli 0.61.0, gemini --acp')
send({ id: 1, method: 'initialize', params: { protocolVersion: 1, clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false } } })
await until('initialize is answered', () => out.includes('\n'))
const methods = JSON.parse(out.split('\n')[0]).result.authMethods.map((m) => m.id)
console.log(`offers:   ${methods.join(', ')}`)
out = ''
send({ id: 2, method: 'authenticate', params: { methodId: methods[0] } })
await until('something on standard output', () => out.includes('authorization code') || out.includes('"id":2'))
console.log('expected: a message, which begins with {')
console.log(`seen:     ${JSON.stringify(out.slice(0, 60))} … ${JSON.stringify(out.slice(-50))}`)
agent.kill()
const same = methods[0] === 'oauth-personal' && out.startsWith('\x1b[?1049h') && !out.includes('"id":2')
console.log(same ? 'as recorded' : 'this is not what was recorded')
process.exit(same ? 0 : 1)
JS
if [ "$(id -u)" = 0 ] && command -v unshare >/dev/null; then
  unshare --net sh -c 'ip link set lo up && node main.mjs'
else
  node main.mjs
fi
