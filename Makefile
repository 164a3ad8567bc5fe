# The two commands are `make run` and `make test`. Both install what they need, on Debian with Go and Node.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZ    ?= 2s

# One set of flags, so that what a build compiled serves vet and the tests, too. The compiler collects its garbage less often than
# it would, which takes a sixth less time; were GOGC in the environment, it would reach what the tests run.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath '-toolexec=env GOGC=300')

# What the bundle in static/dist is made from.
JS := $(shell find static/client static/app -name '*.js') static/build.js static/package.json

.PHONY: run build test soak bench generate deps test-deps check test-race test-plain test-fuzz test-js test-e2e test-chromium test-firefox test-agents test-fleet bench-faults bench-pages clean

run: build
	./bin/skein serve

# What templ makes of a component is a closure, which the compiler would write once more into each function that calls the
# component, and into those that call these: 0.7 MB.
NO_COPIES = -gcflags=skein.dev/skein/ui/...=-d=inlfuncswithclosures=0

build: static/dist/.built
	$(GO) build $(NO_COPIES) -ldflags "-s -w -X main.version=$(VERSION)" -o bin/skein ./cmd/skein

static/dist/.built: $(JS) static/node_modules/.installed
	cd static && npm run --silent build
	@touch $@

static/node_modules/.installed: static/package-lock.json
	cd static && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

deps: static/node_modules/.installed

e2e/node_modules/.installed: e2e/package-lock.json
	cd e2e && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Deno, Bun and three versions of Node, from npm: 250 MB.
e2e/runtimes/node_modules/.installed: e2e/runtimes/package-lock.json
	cd e2e/runtimes && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Browsers, a font for them, and the servers that tests run (nginx before Skein, Redis as an agent's daemon) come from the
# system's packages. RUNLEVEL=1 keeps the packages from starting the servers as services of the machine.
test-deps: deps e2e/node_modules/.installed e2e/runtimes/node_modules/.installed
	@for need in chromium chromium-headless-shell firefox-esr nginx redis-server; do command -v $$need >/dev/null || [ -x /usr/sbin/$$need ] || missing=1; done; \
	[ -z "$$missing" ] || { sudo=$$([ $$(id -u) = 0 ] || echo sudo); $$sudo apt-get update -qq && \
	  $$sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-headless-shell fonts-liberation firefox-esr nginx redis-server >/dev/null; }

# What waits for the network or for time runs beside what computes: packages are fetched while Go compiles, and the tests of Go and
# of JavaScript run at the same time.
test:
	$(MAKE) --no-print-directory -j2 test-deps build
	$(MAKE) --no-print-directory check
	$(MAKE) --no-print-directory -j3 -Oline test-race test-plain test-js
	$(MAKE) --no-print-directory test-e2e
	@echo "every test passed"

# The most that bin/skein may have, in bytes. Schedules took 1.0 MB of it: 0.4 the time zones, 0.2 what reads cron expressions and decides
# on runs, 0.3 their pages. MCP took 1.9. What shows artifacts took 0.9, most of it what renders Markdown. Working folders, pushed
# notifications, the sessions of agents, the palette with its search of all output, the fleet's groups, and what an empty fleet shows took
# 0.2 each; conversations with cards of tools, the graph of dependencies, and the removal of ended agents together 0.4;
# every dialog in the stories 0.1.
LARGEST = 41450000

# The race detector watches our code and what it shares. SQLite, what compresses or hashes, and Go's type checker are computation alone,
# which it would only slow down. Whatever synchronizes by atomics must stay watched: else its users are said to race. Vet has the flags of
# the tests, so that what it needs compiled serves them; and so has the go command that a test runs. Checks of unsafe pointers, which we
# have none of, would come with it, for a tenth of the time.
RACE = -race -gcflags=all=-d=checkptr=0 -gcflags=modernc.org/...=-race=false -gcflags=github.com/klauspost/...=-race=false -gcflags=github.com/minio/...=-race=false -gcflags=go/...=-race=false
TESTED = GOFLAGS="$(GOFLAGS) $(RACE) $(NO_COPIES)"
PLAINLY = GOFLAGS="$(GOFLAGS) $(NO_COPIES)"

# The generated pages are fresh, the code is formatted and vetted, the JavaScript's types hold, the product is no larger than
# it may be.
check: build
	@size=$$(wc -c < bin/skein); [ $$size -le $(LARGEST) ] || { echo "bin/skein has $$size bytes; it may have $(LARGEST)"; exit 1; }
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' | grep -v _templ.go)); [ -z "$$unformatted" ] || { echo "gofmt: $$unformatted"; exit 1; }
	@$(GO) run ./ui/generate ui && { [ -z "$$(git status --porcelain -- 'ui/*_templ.go')" ] || { echo "ui/*_templ.go is not fresh: run make generate and commit"; git diff --stat -- 'ui/*_templ.go'; exit 1; }; }
	$(TESTED) $(GO) vet ./...
	cd static && npm run --silent check

# The Go packages, each once. Fuzz targets run their seeds. Tests are quick (e2e/kit/quick.go): they do less where the number is not the
# point, and those whose names end in AtScale may do nothing; make soak runs them at their full size, and the fault matrix, which has
# links in user space. The race detector watches the transport, the client library and the nouns, and through the client library's tests
# whole servers with their control plane and store. What starts many programs or stores, or asks a server from outside, would take three
# times as long with it: make soak has it watched. The longest packages begin, so that none is left over at the end.
PLAIN = ./server ./cmd/skein ./server/control ./server/jet ./server/memory ./cmd/skein-bench ./cmd/skein-bench/peers
LONG = ./webtransport/client ./webtransport/qmux ./webtransport/doctor ./server/vt ./server/artifacts

# A store makes a hundred files where it opens, and its test removes them: on a disk, a server takes a third more processor time to
# start and stop. So the tests' folders, and what Go links, are in memory, if there is room and programs may run from there. The
# tests collect their garbage less often, too.
MEMORY = /dev/shm/tests-$(shell pwd | cksum | cut -d' ' -f1)-$@
IN_MEMORY = in=$(MEMORY); rm -rf $$in; trap 'rm -rf $(MEMORY)' EXIT; trap 'exit 130' INT TERM; \
	mkdir -p $$in 2>/dev/null && [ $$(df -Pk $$in | awk 'END {print $$4}') -gt 3000000 ] && [ $$(awk '/^MemAvailable/ {print $$2}' /proc/meminfo) -gt 5000000 ] && \
	  printf '\#!/bin/sh\n' >$$in/runs && chmod +x $$in/runs && $$in/runs 2>/dev/null || in=$${TMPDIR:-/tmp}; \
	TMPDIR=$$in GOTMPDIR=$$in GOGC=400 GORACE=atexit_sleep_ms=0 SKEIN_REQUIRE_INTEROP=1

# Tests wait for much, so that three packages, and with them the plain ones, run at the same time on two processors.
test-race:
	@$(IN_MEMORY) $(TESTED) $(GO) test -vet=off -timeout 20m -p 3 \
	  $(LONG) $$($(GO) list ./... | grep -v -e '/e2e/faults$$' -e '/e2e/soak$$' $(PLAIN:./%=-e '/skein/%$$'))

test-plain: build
	@$(IN_MEMORY) $(PLAINLY) $(GO) test -vet=off -timeout 20m -p 1 $(PLAIN)

# What takes long, loads the machine or asserts a rate: every Go test at its full size, one package after the other, every
# browser test over both transports, and a fleet of 200 agents for an hour.
soak: test-deps build
	EVERY=1 SKEIN_REQUIRE_INTEROP=1 $(GO) test -p 1 -timeout 30m $$($(GO) list ./... | grep -v '/e2e/soak$$')
	$(TESTED) SKEIN_REQUIRE_INTEROP=1 $(GO) test -vet=off -p 1 -timeout 20m $(PLAIN) ./e2e/faults
	$(MAKE) test-fuzz FUZZ=60s
	cd static && EVERY=1 npm test --silent
	cd e2e && EVERY=1 npx playwright test
	$(MAKE) test-agents
	$(MAKE) test-fleet
	@echo "every long test passed"

# Each fuzz target for some seconds; a crasher that is found fails the run and stays under testdata/fuzz. Go itself at
# times reports the end of the time as a failure, "context deadline exceeded": without an input that failed it is none.
test-fuzz:
	@for dir in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$dir/*_test.go | cut -d' ' -f2); do \
	    echo "$$dir $$target"; out=$$($(GO) test -vet=off -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ) ./$$dir 2>&1); failed=$$?; echo "$$out"; \
	    [ $$failed = 0 ] || case "$$out" in \
	      *"Failing input"*) exit 1;; \
	      *"context deadline exceeded"*) echo "$$target: its time was over";; \
	      *) exit 1;; \
	    esac; \
	  done; \
	done

# The library on its own, and in each runtime that it is made for.
test-js: build e2e/runtimes/node_modules/.installed
	cd static && npm test --silent
	cd e2e/runtimes && npm test --silent

# Playwright in Chromium (with EVERY=1 all of it over both transports), and beside it Debian's Firefox by WebDriver BiDi.
test-e2e: build e2e/node_modules/.installed
	$(MAKE) --no-print-directory -j2 -Oline test-chromium test-firefox

test-chromium: build e2e/node_modules/.installed
	cd e2e && npx playwright test

test-firefox: build e2e/node_modules/.installed
	cd e2e && node --test firefox/*.test.js

# A fleet of every kind of agent, whose server restarts and whose network changes. It needs root.
test-fleet:
	SKEIN_SOAK=$${SKEIN_SOAK:-1h} $(GO) test -count=1 -v -timeout 3h ./e2e/soak

# Coding agents as npm has them, 2 GB, in a network of loopback alone, with a model of ours. It needs root.
test-agents: build e2e/agents/node_modules/.installed
	cd e2e/agents && if [ $$(id -u) = 0 ]; then unshare --net sh -c 'ip link set lo up && npm test --silent'; else npm test --silent; fi

# npm ci refuses a lock file that has no packages for other platforms, and it has none where the registry has none.
e2e/agents/node_modules/.installed: e2e/agents/package-lock.json
	cd e2e/agents && npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

bench: build
	$(GO) build -o bin/skein-bench ./cmd/skein-bench
	./bin/skein-bench run $(BENCH)
	@[ -n "$(BENCH)" ] || $(MAKE) bench-faults bench-pages

# What faults of the network do to sessions, how long a page's stop takes on a bad link, and the way back from WebSocket.
bench-faults: build e2e/node_modules/.installed
	EVERY=1 $(GO) test -v -run Matrix -bench . -benchtime 2x -timeout 20m ./e2e/faults | grep -v '^time='

# The bytes of each page, when it is there, what axe finds, how smooth a long list is, and how long a change takes to the screen.
bench-pages: build e2e/node_modules/.installed
	cd e2e && npm run --silent pages -- $(PAGES)

# The pages' Go from templ, the JavaScript library's lists from the protocol's table of methods, and the pages' widths of characters
# from the server's.
generate:
	$(GO) run ./ui/generate ui
	$(GO) test ./webtransport/wire -run TheLibrarysMethods -update >/dev/null
	$(GO) test ./server/vt -run ThePagesWidths -update >/dev/null

clean:
	rm -rf bin static/dist/* static/node_modules e2e/node_modules e2e/runtimes/node_modules e2e/agents/node_modules e2e/test-results
