# What record.sh runs within the namespaces: it makes the machine, and records.
hostname skein
ip link set lo up
mkdir -p /opt /home
mount -t tmpfs none /opt
mount -t tmpfs -o size=1g none /home
cp "$WORK/vt.test" /opt/recorder
cp ../../e2e/agents/model.js /opt/model.mjs
mkdir -p /opt/agents /home/me/.config/opencode /home/me/.codex
[ ! -d "$AGENTS/node_modules" ] || mount --bind "$(realpath "$AGENTS")" /opt/agents
printf 'processor\t: %s\nvendor_id\t: GenuineIntel\nmodel name\t: A processor\ncpu MHz\t\t: 2000.000\ncpu cores\t: 2\n\n' 0 1 >"$WORK/cpuinfo" 2>/dev/null
mount --bind "$WORK/cpuinfo" /proc/cpuinfo
sh testdata/home.sh /home/me

export HOME=/home/me USER=me LOGNAME=me SHELL=/bin/bash TERM=xterm-256color COLORTERM=truecolor LANG=C.UTF-8 TZ=UTC
export PATH=/opt/agents/node_modules/.bin:$PATH OPENAI_API_KEY=none OPENAI_MODEL=fake ANTHROPIC_API_KEY=none
export DISABLE_AUTOUPDATER=1
unset CI
cat >/opt/endpoint.mjs <<'JS'
import { writeFileSync } from 'node:fs'
import { model } from './model.mjs'
const { url } = await model()
const options = { baseURL: url, apiKey: 'none' }
writeFileSync('/home/me/.config/opencode/opencode.json', JSON.stringify({ autoupdate: false, share: 'disabled', model: 'fake/fake',
  provider: { fake: { npm: '@ai-sdk/openai-compatible', name: 'Fake', options, models: { fake: { name: 'Fake' } } } } }))
writeFileSync('/opt/url', url)
JS
node /opt/endpoint.mjs &
while [ ! -s /opt/url ]; do sleep 0.1; done
export OPENAI_BASE_URL="$(cat /opt/url)" ANTHROPIC_BASE_URL="$(cat /opt/url)"
/opt/recorder -test.run '^TestRecord$' -test.v -record "$NAMES"
