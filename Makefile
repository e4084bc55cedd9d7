# Sunya: every target works from a fresh clone and installs what it needs.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export CGO_ENABLED := 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
HELPER  := internal/adapt/linuxns/helper/bin/sunya-launcher
UNPACK  := internal/adapt/unpack/bin/sunya-unpack
BUILDER := internal/adapt/buildkit/program/bin/sunya-builder.gz
BIN     := bin/sunya
GO_SRC  := $(shell find . -name '*.go' -not -path './bin/*') go.mod go.sum

## help: list the targets
.PHONY: help
help:
	@sed -n 's/^## \([a-z0-9-]*\): */\1\t/p' $(MAKEFILE_LIST) | sort | awk -F'\t' '{ printf "%-12s %s\n", $$1, $$2 }'

## build: build bin/sunya (static, one file)
.PHONY: build
build: $(BIN)

$(HELPER): $(shell find internal/adapt/linuxns/helper internal/core/sandbox -name '*.go' -o -name '*.py' 2>/dev/null) go.mod
	go build -trimpath -ldflags "-s -w" -o $@ ./internal/adapt/linuxns/helper/cmd/sunya-launcher

# BuildKit, for Dockerfiles: a program of its own inside the binary.
$(BUILDER): $(shell find internal/adapt/buildkit/builder internal/adapt/buildkit/job -name '*.go' 2>/dev/null) go.mod
	go build -trimpath -ldflags "-s -w" -o $(basename $@) ./internal/adapt/buildkit/builder/cmd/sunya-builder
	gzip -n -f -6 $(basename $@)

# What reads the archives of images, in a sandbox.
$(UNPACK): $(shell find internal/adapt/unpack internal/core/tree -name '*.go' 2>/dev/null) go.mod
	go build -trimpath -ldflags "-s -w" -o $@ ./internal/adapt/unpack/cmd/sunya-unpack

$(BIN): $(HELPER) $(UNPACK) $(BUILDER) $(GO_SRC)
	go build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/sunya

## quickstart: build, start, deploy examples/hello-python and show its answer (ONCE=1 stops by itself)
.PHONY: quickstart
quickstart: deps $(BIN)
	@ONCE=$(ONCE) scripts/quickstart.sh

## deps: install what the machine lacks (Go modules; Debian packages when root)
.PHONY: deps
deps:
	@scripts/deps.sh

.PHONY: deps-tests
deps-tests:
	@SUNYA_DEPS=tests scripts/deps.sh

## test: everything a change must pass: lint, unit and contract tests, sandbox, end to end
.PHONY: test
test: deps-tests lint test-race test-rest e2e

## test-unit: unit and contract tests
.PHONY: test-unit
test-unit: $(HELPER) $(UNPACK)
	scripts/gotest.sh ./...

# Where the concurrency is.
RACED := ./internal/core/... ./internal/adapt/sqlite/... ./internal/adapt/logdb/... ./internal/wire/...

## test-race: those of core, stores and APIs under the race detector
.PHONY: test-race
test-race: $(HELPER) $(UNPACK)
	CGO_ENABLED=1 go test -race $(RACED)

# Every other package: what ran under the race detector need not run again.
.PHONY: test-rest
test-rest: $(HELPER) $(UNPACK)
	scripts/gotest.sh $$(comm -23 <(go list ./... | sort) <(go list $(RACED) | sort))

# What asks the kernel for something.
.PHONY: test-rights
test-rights: $(HELPER) $(UNPACK)
	scripts/gotest.sh ./internal/adapt/... ./internal/node/... ./internal/core/sandbox/...

## e2e: the real binary, real HTTP, the official clients
.PHONY: e2e
e2e: deps-tests $(BIN)
	SUNYA_BIN=$(CURDIR)/$(BIN) scripts/gotest.sh -tags e2e -count=1 -parallel 5 -timeout 40m ./e2e/...

# Whose rights the server has makes no difference to these.
SAME := TestGcloud|TestStorage|TestPubSub|TestEvents|TestEventExamples|TestFirstGeneration|TestUsage|TestBurst|TestManyServicesAtOnce|TestTraffic|TestScaling|TestDev$$|TestFunctionsClients|TestFunctionsConformance|TestFunctionLanguages
SAME := $(SAME)|TestCredentialsAPI|TestReadyJar|TestLanguages/.*/^(go|java|php|ruby)|TestMangled|TestBadInput|TestRawRequests|TestSlowClients|TestForgedHeaders|TestHTTP2Abuse|TestH2Spec|TestSpellings|TestErrorPages|TestSecureHandlers|TestHandlersAndDispatch
SAME := $(SAME)|TestRegistry|TestSkopeo|TestUploadGoesOnAfterAKill|TestImagesFromElsewhere|TestRunCommands|TestRunBounds|TestWebSocketExample|TestKillBetweenSteps|TestFiftyDeploysAtOnce

## e2e-user: what of e2e depends on who starts the server
.PHONY: e2e-user
e2e-user: deps-tests $(BIN)
	SUNYA_BIN=$(CURDIR)/$(BIN) scripts/gotest.sh -tags e2e -count=1 -parallel 5 -timeout 40m -skip '$(SAME)' ./e2e/

## torture: the same faults in large numbers (an hour and more, root; FAULTS=regexp: a part)
.PHONY: torture
torture: deps $(BIN)
	@SUNYA_BIN=$(CURDIR)/$(BIN) scripts/torture.sh '$(FAULTS)'

## fuzz: every fuzz target for FUZZTIME (30s)
.PHONY: fuzz
fuzz:
	@scripts/fuzz.sh $(or $(FUZZTIME),30s)

# Where figures go. Those of a quick run say nothing and stay out of the docs.
OUT   ?= $(if $(QUICK),bin/performance,docs/performance)
REPORT := go run ./e2e/bench/report -results $(OUT)/results.json -pictures $(OUT) $(if $(filter docs/performance,$(OUT)),-page docs/performance.md)
BENCH ?= .
# Go takes each alternative and each level of a name for itself.
MATCH := (?i)$(subst |,|(?i),$(subst /,/(?i),$(BENCH)))

## bench: Sunya beside the bare programs and other servers, as ratios (BENCH=regexp: a part; QUICK=1: does it work)
.PHONY: bench
bench: $(BIN)
	@SUNYA_DEPS=bench scripts/deps.sh
	@status=0; SUNYA_BIN=$(CURDIR)/$(BIN) SUNYA_PEERS=$(CURDIR)/bin/peers/bin SUNYA_BENCH_RESULTS=$(abspath $(OUT))/results.json SUNYA_BENCH_QUICK=$(QUICK) \
		go test -tags e2e -count=1 -timeout 90m -run '^$$' -bench '$(MATCH)' -benchtime 1x ./e2e/bench/ || status=$$?; \
		$(REPORT); exit $$status

## bench-report: show and draw once more what was measured
.PHONY: bench-report
bench-report:
	@$(REPORT)

## simulate: ten million requests of ten thousand services in virtual time, and docs/img/simulate-*.svg
.PHONY: simulate
simulate: $(BIN)
	go test -count=1 -run '^$$' -bench . -benchtime 1x -timeout 20m ./internal/core/simulate/...
	$(BIN) simulate -q --trace spike --concurrency 8 --svg docs/img/simulate-spike.svg
	$(BIN) simulate -q --trace diurnal --concurrency 8 --services 5 --requests 1000000 --svg docs/img/simulate-diurnal.svg
	$(BIN) simulate -q --services 500 --requests 500000 --svg docs/img/simulate-production.svg

## timeline: watch three kinds of scaling and draw docs/img/instances.svg
.PHONY: timeline
timeline: $(BIN)
	SUNYA_BIN=$(CURDIR)/$(BIN) SUNYA_TIMELINE=$(CURDIR)/docs/img/instances.svg go test -tags e2e -count=1 -run 'TestScaling$$' ./e2e/

## lint: formatting, vet, staticcheck
.PHONY: lint
lint:
	@scripts/lint.sh

## figures: the shape of the code in numbers
.PHONY: figures
figures:
	go run ./scripts/figures .

## clean: remove what was built
.PHONY: clean
clean:
	rm -rf bin $(HELPER) $(UNPACK) $(BUILDER)
