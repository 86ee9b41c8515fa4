# make test, the one command that runs everything, needs Go, bash and make.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go

# Where mail with known answers lies; not part of this repository.
CORPUS ?= ../shared/corpus

# Benchmarks to run (a pattern) and where they are.
BENCH ?= .
BENCH_PACKAGES ?= ./cmd/postroom ./internal/mail/... ./internal/store

# For make build.
SYSTEMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
BUILD_FLAGS ?= -trimpath -ldflags '-s -w'

GOLANGCI_LINT := v2.15.0
TEMPL := v0.3.1001

# The tools that are installed here, by version, so that a new one replaces the old.
linter := bin/golangci-lint-$(GOLANGCI_LINT)

# Every test is asked for, and a skipped one is a failure, where this is 1.
strict := $(if $(filter 1,$(POSTROOM_TEST_ALL)),-names -strict)

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: ## Show Postroom with a pretend provider; stop with Ctrl-C
	$(GO) run ./cmd/postroom demo

.PHONY: test
test: ## Run every test; on Debian as root install what they need
	@scripts/test-needs
	@# Never from the cache: it does not know which programs are installed.
	@$(GO) test -count=1 -timeout 20m -json ./... | $(GO) run ./scripts/testreport $(strict)

.PHONY: unit
unit: ## Run the tests that need nothing but Go, in seconds
	$(GO) test -short ./...

.PHONY: bench
bench: ## Measure
	@scripts/test-needs
	$(GO) test -count=1 -timeout 60m -run '^$$' -bench '$(BENCH)' -benchtime 1x $(BENCH_PACKAGES)

.PHONY: scores
scores: ## Compare how mail is understood with what is expected
	@test -f $(CORPUS)/score.py || { \
		echo "There is no mail corpus in $(CORPUS). Say where it is: make scores CORPUS=DIRECTORY" >&2; exit 1; }
	@mkdir -p bin
	@$(GO) build -o bin/postroom ./cmd/postroom
	@# One that cannot be read is counted as a failure by the scores.
	@bin/postroom explain --json $(CORPUS) >bin/scores.jsonl || true
	@python3 $(CORPUS)/score.py $(CORPUS) bin/scores.jsonl

.PHONY: lint
lint: $(linter) ## Look for mistakes
	$(linter) run ./...

$(linter):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv bin/golangci-lint $@

.PHONY: generate
generate: ## Write the generated files anew
	$(GO) run github.com/a-h/templ/cmd/templ@$(TEMPL) generate -path internal/web
	$(GO) test -count=1 ./internal/api -run '^TestDocumentIsFresh$$' -update

.PHONY: fmt
fmt: ## Format
	$(GO) run github.com/a-h/templ/cmd/templ@$(TEMPL) fmt internal/web
	gofmt -w .

.PHONY: build
build: ## Build for every system, into dist/
	@for system in $(SYSTEMS); do \
		os=$${system%/*} arch=$${system#*/}; \
		file=dist/postroom-$$os-$$arch; \
		if [ $$os = windows ]; then file=$$file.exe; fi; \
		echo $$file; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build $(BUILD_FLAGS) -o $$file ./cmd/postroom; \
	done
