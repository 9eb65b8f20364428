# Fleetwing: an index of scripts. `make deps build` on a fresh machine, then `make demo`.
# Variables: DESTDIR, PREFIX (install); ARGS (run, bench, resilience, test, asan); SEED, SEEDS, FROM (simulate).

PREFIX ?= /usr
ARGS ?=
SEEDS ?= 10000
FROM ?= 1
SEED ?=

.PHONY: all deps build demo run test simulate check asan bench resilience format install clean

all: build

deps:          ## what build and tests need: found, installed with apt, or named
	scripts/deps

build:         ## release build into .build/release
	scripts/build

demo: build     ## real questions through the daemon, and its pools
	scripts/deps && scripts/demo

run: build     ## the daemon in the foreground on 127.0.0.1:5355
	scripts/run $(ARGS)

test:          ## everything; the last line is the sum
	scripts/test $(ARGS)

simulate:      ## the engine in random worlds: SEEDS=n of them, or SEED=n told step by step
	scripts/simulate $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --from $(FROM))

check: build   ## format, unit, scripts, binaries
	scripts/check

asan:          ## the Swift tests under the address sanitizer
	scripts/asan $(ARGS)

bench: build    ## CPU per query, cache hits and misses
	scripts/deps && scripts/bench $(ARGS)

resilience: build ## failures of upstreams, beside other forwarders; ARGS=--write for the document
	scripts/deps && scripts/resilience $(ARGS)

format:        ## swift format in place
	swift format -i -r Sources Tests Package.swift

install:       ## what `make build` made; DESTDIR= PREFIX=/usr
	scripts/install "$(DESTDIR)" "$(PREFIX)"

clean:
	rm -rf .build .build-asan
