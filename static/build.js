// Bundles the client library (dist/skein.js, on its own) and the dashboard's modules (dist/fleet.js and so on, sharing
// their common code). SKEIN_DEV=1 leaves them readable and puts their source maps into them; without it the maps lie beside
// them, for whoever reads a stack trace, and are no part of the product.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

const root = import.meta.dirname
const dist = `${root}/dist`
const pages = ['fleet', 'agent', 'tasks', 'task', 'memory', 'space', 'entry', 'artifacts', 'network', 'login'].map((name) => `${root}/app/${name}.js`).filter((file) => existsSync(file))

for (const name of readdirSync(dist)) {
  if (name !== '.keep.js' && name !== 'types') rmSync(`${dist}/${name}`, { recursive: true })
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

await build({ ...common, entryPoints: { skein: `${root}/client/index.js` } })
if (pages.length > 0) {
  await build({ ...common, entryPoints: pages, outbase: `${root}/app`, splitting: true, chunkNames: 'chunk-[hash]' })
}
