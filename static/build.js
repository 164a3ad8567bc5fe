// Bundles the client library (dist/skein.js, with a file beside it that it loads when it must; dist/skein.mjs, on its own) and
// the dashboard's modules (dist/fleet.js and so on, sharing their common code). SKEIN_DEV=1 leaves them readable and puts
// their source maps into them; without it the maps lie beside them, for whoever reads a stack trace, and are no part of the
// product.
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = import.meta.dirname
const dist = `${root}/dist`
/** The pages' modules: what a page of dist is made from. */
const pages = {
  fleet: 'fleet/fleet', agent: 'agent/agent', tasks: 'task/tasks', task: 'task/task', memory: 'memory/memory', space: 'memory/space', entry: 'memory/entry',
  artifacts: 'artifact/artifacts', artifact: 'artifact/shown', inbox: 'inbox/inbox', schedules: 'schedule/schedules', network: 'network/network', usage: 'usage/usage', wall: 'wall/wall', history: 'wall/history', changes: 'changes/changes',
}

for (const name of readdirSync(dist)) {
  if (name !== '.keep.gz' && name !== 'types') rmSync(`${dist}/${name}`, { recursive: true })
}

/** @type {import('esbuild').BuildOptions} */
const common = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  sourcemap: process.env.SKEIN_DEV ? 'inline' : 'external',
  sourcesContent: true,
  minify: !process.env.SKEIN_DEV,
  outdir: dist,
  absWorkingDir: root,
  logLevel: 'info',
}

// What many clients never need (client/load.js) is one file for the library and the pages. It has its hash in its name.
const extra = await build({ ...common, entryPoints: [`${root}/client/extra.js`], entryNames: '[name]-[hash]', metafile: true })
const file = `./${basename(Object.keys(extra.metafile.outputs).find((name) => name.endsWith('.js')) ?? '')}`
/** @type {import('esbuild').BuildOptions} */
const without = {
  define: { EXTRA_FILE: JSON.stringify(file) },
  plugins: [{ name: 'extra', setup: (build) => build.onResolve({ filter: /^\.\/extra\.js$/ }, () => ({ path: file, external: true })) }],
}

await build({ ...common, ...without, entryPoints: { skein: `${root}/client/index.js` } })
// The same with all it may need, for those who want one file.
await build({ ...common, entryPoints: { skein: `${root}/client/index.js` }, outExtension: { '.js': '.mjs' } })
await build({ ...common, ...without, entryPoints: Object.fromEntries(Object.entries(pages).map(([name, file]) => [name, `${root}/app/${file}.js`])), splitting: true, chunkNames: 'chunk-[hash]' })

// The service worker: a classic script, since not every browser has modules there.
await build({ ...common, format: 'iife', entryPoints: { sw: `${root}/app/worker/worker.js` } })

await build({ ...common, entryPoints: { terminal: `${root}/app/terminal/terminal.css` }, sourcemap: false })

// The product embeds these (embed.go).
for (const name of readdirSync(dist)) {
  if (/\.(m?js|css)$/.test(name)) writeFileSync(`${dist}/${name}.gz`, gzipSync(readFileSync(`${dist}/${name}`), { level: 9 }))
}
