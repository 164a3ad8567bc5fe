package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// group is the agents of one type.
type group struct {
	name  string
	share int    // of 200 agents
	churn bool   // at times one is stopped, and another one started
	alive bool   // one that ends is replaced; else its restart policy does that
	yaml  string // the type
}

// sleeper is what processes that an agent leaves behind have in their command line, and no other one has.
var sleeper = fmt.Sprintf("86400.%d", os.Getpid())

// groups are every kind of agent. Remote ones dial in and are not spawned.
var groups = []group{
	{name: "ticker", share: 48, churn: true, alive: true, yaml: `
    kind: exec  # with a child, and one that has left its group and its environment
    argv: [sh, -c, 'sleep @sleep@ & (env -i setsid sleep @sleep@ &) ; i=0; while :; do i=$((i+1)); echo tick $i; sleep 2; done']
    stop_grace: 1s`},
	{name: "stubborn", share: 5, churn: true, alive: true, yaml: `
    kind: exec  # it ignores what asks it to end
    argv: [sh, -c, 'trap "" TERM INT HUP; while :; do echo still here; sleep 5; done']
    stop_grace: 1s`},
	{name: "crasher", share: 15, alive: true, yaml: `
    kind: exec  # it leaves a child when it fails
    argv: [sh, -c, 'env -i setsid sleep @sleep@ & sleep 20; exit 3']
    restart: {mode: delay, attempts: 1000, interval: 1h, delay: 5s}`},
	{name: "printer", share: 2, alive: true, yaml: `
    kind: exec
    argv: [sh, -c, 'while :; do seq 1 2000; sleep 2; done']`},
	{name: "shell", share: 20, churn: true, alive: true, yaml: `
    kind: exec
    tty: true
    argv: [bash, --norc, --noprofile]
    stop_grace: 1s`},
	{name: "screen", share: 10, churn: true, alive: true, yaml: `
    kind: exec  # the alternate screen, painted again and again
    tty: true
    argv: [sh, -c, 'printf "\033[?1049h"; i=0; while :; do i=$((i+1)); printf "\033[%d;1H\033[3%dm%d\033[K" $((i%24+1)) $((i%8)) $i; sleep 1; done']
    stop_grace: 1s`},
	{name: "coder", share: 35, churn: true, alive: true, yaml: `
    kind: acp
    argv: ['@exe@']
    env: {SKEIN_SOAK_ROLE: coder, SKEIN_SOAK_DIR: '@dir@'}
    stop_grace: 2s`},
	{name: "model", share: 15, churn: true, alive: true, yaml: `
    kind: openai
    model: {url: 'http://127.0.0.1:9000/v1', name: soak}`},
	{name: "liner", share: 15, alive: true, yaml: `
    kind: exec
    tasks: lines
    max_tasks: 2
    argv: ['@exe@']
    env: {SKEIN_SOAK_ROLE: liner, SKEIN_SOAK_DIR: '@dir@'}
    stop_grace: 2s`},
	{name: "script", share: 15, churn: true, alive: true, yaml: `
    kind: scripted
    script: |
      repeat forever
      say ${i}
      wait 2s
      end`},
	{name: remoteType, share: 20, yaml: `
    kind: remote
    max_tasks: 2
    lease: 1m`},
	{name: onceType, yaml: `
    kind: exec  # a process for each task
    tasks: process
    max_instances: 6
    argv: [sh, -c, 'cat; sleep 0.3']`},
}

const (
	remoteType = "program"
	onceType   = "once"
)

// size is how many agents of the group there are in a fleet of n.
func (g group) size(n int) int {
	if g.share == 0 {
		return 0
	}
	return max(1, g.share*n/200)
}

// writeConfig writes skein.yaml with all types to dir, in which programs keep their files, too.
func writeConfig(dir string) (path string, err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("max_agents: 400\nagent_types:\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "  %s:%s\n", g.name, g.yaml)
	}
	text := strings.NewReplacer("@sleep@", sleeper, "@exe@", exe, "@dir@", dir).Replace(b.String())
	path = filepath.Join(dir, "skein.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}
