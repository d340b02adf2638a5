# What a developer runs; `make help` lists it. A fresh Debian or Ubuntu needs Go, git and make: what else a target needs
# comes from the distribution's packages, with a word about it.

# RACE= does without the race detector, which needs a C compiler.
RACE ?= -race
TESTFLAGS ?=
FUZZTIME ?= 10s
BENCHTIME ?= 1s
SOAK ?= 10m
SEED ?=
SOAKFLAGS ?=
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
GOLANGCI_LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.* ## (.*)/\1	\2/p' Makefile | expand -t 10

.PHONY: run
run: build ## build rosterd and show it at work on a simulated tenant
	bin/rosterd demo

.PHONY: build
build: ## build bin/rosterd
	go build -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o bin/rosterd ./cmd/rosterd

# go vet has all of its checks run first, with the build that the tests use; go test would repeat some.
.PHONY: test
test: c-compiler ## vet and test everything, on SQLite and on a PostgreSQL server started for it
	go vet $(RACE) ./...
	.ci/with-postgres go test -vet=off -timeout 20m $(RACE) $(TESTFLAGS) ./...

.PHONY: lint
lint: ## check the style, and which package imports which
	tool=$$(.ci/tool $(GOLANGCI_LINT)) && "$$tool" run ./...

.PHONY: fmt
fmt: ## format the code as lint wants it
	tool=$$(.ci/tool $(GOLANGCI_LINT)) && "$$tool" fmt ./...

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (10s)
	.ci/fuzz $(FUZZTIME)

# It ends at the first schedule that fails and says how to replay it. SOAKFLAGS=-race has fewer schedules looked at harder.
.PHONY: soak
soak: ## run simulated schedules for SOAK (10m), from a fresh SEED
	go test -c -vet=off $(SOAKFLAGS) -o bin/simulation.test ./syncer
	cd syncer && ROSTERD_SIM_FOR=$(SOAK) ROSTERD_SIM_SEED=$(SEED) ../.ci/with-postgres \
		../bin/simulation.test -test.run '^TestSimulation$$' -test.timeout 0

.PHONY: bench
bench: ## run the benchmarks, each for BENCHTIME (1s)
	.ci/with-postgres go test -vet=off -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

.PHONY: clean
clean: ## delete what was built (rosterd's data stays)
	rm -rf bin
	rm -f coverage.* *.out *.test

.PHONY: c-compiler
c-compiler:
	@test -z '$(RACE)' || command -v "$$(go env CC | cut -d ' ' -f 1)" >/dev/null || \
		.ci/install 'the race detector needs a C compiler; make test RACE= does without' gcc libc6-dev
