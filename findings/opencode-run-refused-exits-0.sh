#!/usr/bin/env bash
# opencode-ai 1.18.33: a run that ends because a permission was refused prints nothing and exits with 0.
#
# "opencode run" asks nobody: it refuses what its configuration says is to be asked. The turn ends there, without a word of the
# model, and nothing is on standard output. A script that looks at the exit code takes it for done. When the model fails, it is 1.
#
# Needs: Node, npm. As root it runs without a network, in a namespace. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" opencode-ai@1.18.33 >npm.log 2>&1 || { cat npm.log >&2; exit 1; }

cat >main.mjs <<'JS'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

// A model that calls the tool "write" once, if it is offered, and otherwise says a word.
const server = createServer(async (req, res) => {
  let body = ''
  for await (const part of req) body += part
  const { messages = [], tools = [] } = JSON.parse(body || '{}')
  const call = tools.some((t) => t.function.name === 'write') && !messages.some((m) => m.role === 'tool')
  const delta = call
    ? { tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'write', arguments: JSON.stringify({ filePath: 'made.txt', content: 'x' }) } }] }
    : { content: 'Done.' }
  const chunk = (choice) => res.write(`data: ${JSON.stringify({ id: 'i', object: 'chat.completion.chunk', created: 1, model: 'fake', choices: [{ index: 0, ...choice }] })}\n\n`)
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  chunk({ delta: { role: 'assistant', ...delta }, finish_reason: null })
  chunk({ delta: {}, finish_reason: call ? 'tool_calls' : 'stop' })
  res.end('data: [DONE]\n\n')
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
mkdirSync('home/.config/opencode', { recursive: true })
mkdirSync('work')
writeFileSync('home/.config/opencode/opencode.json', JSON.stringify({
  autoupdate: false, share: 'disabled', model: 'fake/fake', permission: { edit: 'ask' },
  provider: { fake: { npm: '@ai-sdk/openai-compatible', name: 'Fake', options: { baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: 'none' }, models: { fake: { name: 'Fake' } } } },
}))
const run = spawn(`${process.cwd()}/node_modules/.bin/opencode`, ['run', 'Write made.txt'], { cwd: 'work', env: { PATH: process.env.PATH, HOME: `${process.cwd()}/home` }, stdio: ['ignore', 'pipe', 'pipe'] })
let out = ''
let errors = ''
run.stdout.on('data', (text) => (out += text))
run.stderr.on('data', (text) => (errors += text))
const code = await new Promise((resolve) => run.on('close', resolve))
server.close()
server.closeAllConnections()

console.log('version:  opencode-ai 1.18.33, opencode run, permission.edit: ask')
console.log('expected: an exit code other than 0, or an answer that says that the file was not written')
console.log(`seen:     exit code ${code}, standard output ${JSON.stringify(out)}, ${existsSync('work/made.txt') ? 'a' : 'no'} file, on standard error ${/auto-rejecting/.test(errors) ? 'a line with "auto-rejecting"' : JSON.stringify(errors)}`)
const same = code === 0 && out === '' && !existsSync('work/made.txt') && /auto-rejecting/.test(errors)
console.log(same ? 'as recorded' : 'this is not what was recorded')
process.exit(same ? 0 : 1)
JS
if [ "$(id -u)" = 0 ] && command -v unshare >/dev/null; then
  unshare --net sh -c 'ip link set lo up && node main.mjs'
else
  node main.mjs
fi
