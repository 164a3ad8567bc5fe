// The conformance tests of the Model Context Protocol, against Skein as an MCP server.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { Server } from '../fixtures/server.js'

// These ask for tools, prompts and resources of given names that only a server made for the tests has.
const OTHERS = [
  'completion-complete', 'tools-call-simple-text', 'tools-call-image', 'tools-call-audio', 'tools-call-embedded-resource', 'tools-call-mixed-content',
  'tools-call-with-logging', 'tools-call-error', 'tools-call-with-progress', 'tools-call-sampling', 'tools-call-elicitation',
  'elicitation-sep1034-defaults', 'elicitation-sep1330-enums', 'resources-read-text', 'resources-read-binary', 'resources-templates-read',
  'resources-subscribe', 'resources-unsubscribe', 'prompts-get-simple', 'prompts-get-with-args', 'prompts-get-embedded-resource', 'prompts-get-with-image',
]
const APPLY = ['server-initialize', 'logging-set-level', 'ping', 'tools-list', 'server-sse-multiple-streams', 'resources-list', 'prompts-list', 'dns-rebinding-protection']

test('the MCP server conforms, as far as the tests apply to it', async () => {
  const server = new Server({})
  await server.start()
  const { port } = new URL(server.http)
  // The tests send no token.
  const proxy = createServer((req, res) => {
    const on = request({ host: 'localhost', port, path: req.url, method: req.method, headers: { ...req.headers, authorization: `Bearer ${server.token}` } }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    on.on('error', () => res.destroy())
    res.on('close', () => on.destroy())
    req.pipe(on)
  }).listen(0, 'localhost')
  await once(proxy, 'listening')
  try {
    const baseline = join(server.dir, 'baseline.yml')
    writeFileSync(baseline, JSON.stringify({ server: OTHERS }))
    const url = `http://localhost:${/** @type {any} */ (proxy.address()).port}/mcp`
    const { stdout } = await promisify(execFile)(join(import.meta.dirname, 'node_modules/.bin/conformance'), ['server', '--url', url, '--expected-failures', baseline])
    for (const name of APPLY) assert.match(stdout, new RegExp(`✓ ${name}: [1-9]`))
  } finally {
    proxy.closeAllConnections()
    proxy.close()
    await server.close()
  }
})
