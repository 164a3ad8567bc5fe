#!/usr/bin/env bash
# Chromium's headless shell (Debian's chromium-headless-shell 156): it finds every page installable.
#
# Page.getInstallabilityErrors of the DevTools protocol gives the reasons why a page cannot be installed as a web app. A page that has
# no manifest should have the error "no-manifest", and has it in the whole browser. The headless shell of the same version answers the
# same request without an error of the protocol and with an empty list, as if nothing were missing: a test that runs in it proves
# nothing.
#
# Needs: Node, npm, Debian's chromium and chromium-headless-shell. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts playwright-core@1.65.1 >/dev/null

cat >ask.mjs <<'JS'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'

const site = createServer((_, res) => res.setHeader('content-type', 'text/html').end('<!doctype html><title>no manifest</title>')).listen(0, 'localhost')
await once(site, 'listening')
const url = `http://localhost:${site.address().port}/`

async function reasons(executablePath) {
  const browser = await chromium.launch({ executablePath, args: ['--disable-background-networking'] })
  const page = await browser.newPage()
  await page.goto(url)
  const devtools = await page.context().newCDPSession(page)
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors')
  const said = installabilityErrors.map((e) => e.errorId)
  console.log(`${executablePath} ${browser.version()}: ${JSON.stringify(said)}`)
  await browser.close()
  return said
}

console.log('expected: ["no-manifest"], twice')
const whole = await reasons('/usr/bin/chromium')
const shell = await reasons('/usr/bin/chromium-headless-shell')
site.close()
const asRecorded = whole.includes('no-manifest') && shell.length === 0
console.log(asRecorded ? 'seen: the headless shell finds nothing missing' : 'this is not what was recorded')
process.exit(asRecorded ? 0 : 1)
JS
node ask.mjs
