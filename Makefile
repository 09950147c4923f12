# weir: build, try, test, measure. `make help` lists the targets; `make` alone builds and runs the tests.

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
H2SPEC      ?= github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
FUZZTIME    ?= 10s
PKG         ?= ./...

# Whether the binary can tell its commit: git refuses checkouts that belong to someone else.
VCS := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo true || echo false)

.PHONY: all build run test race fuzz h2spec h2spec-fetch bench measure profile lint staticcheck vet cover clean help need-go

all: build test

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

need-go:
	@command -v $(GO) >/dev/null 2>&1 || { \
	  echo 'Go is missing: weir needs Go 1.26 or newer, from https://go.dev/dl/ (then put its bin folder into PATH).' >&2; exit 1; }

# Without cgo, because only then can a Go program that was root keep the right to open low ports in all of its threads.
build: need-go ## Build bin/weir.
	@CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(VCS) -o bin/weir ./cmd/weir

run: build ## Try it: two Node.js servers and a cluster of three weirs in front of them, until Ctrl-C. HTTP_PORT=, HTTPS_PORT=, CLUSTER_PORT=, APP1_PORT=, APP2_PORT= choose ports.
	@$(GO) build -o bin/twin ./examples/app/twin
	@$(GO) build -o bin/run-example ./examples/run
	@exec bin/run-example

test: need-go ## Run every test. PKG=./lb/... narrows it, here and below.
	$(GO) test $(PKG)

# A failed check of the race detector's own, in tests in simulated time, is no finding: golang.org/issue/78156. Those packages
# run again.
race: need-go ## Run the tests with the race detector, stopping at the first race.
	@mkdir -p bin; log=bin/race.log; pkgs='$(PKG)'; \
	for try in 1 2 3; do \
	  { GORACE=halt_on_error=1 $(GO) test -race $$pkgs 2>&1; echo "exit $$?"; } | tee $$log | grep -v '^exit '; \
	  grep -qx 'exit 0' $$log && exit 0; \
	  grep -q '^ThreadSanitizer: CHECK failed' $$log && ! grep -q 'DATA RACE\|^ *--- FAIL' $$log || exit 1; \
	  pkgs=$$(awk '$$1 == "FAIL" && $$2 { print $$2 }' $$log); \
	done; exit 1

# Go's fuzzer now and then takes the end of its own time for a failure, and writes no failing input; that target runs again.
fuzz: need-go ## Fuzz every target for FUZZTIME (10s) each.
	@$(GO) list $(PKG) | while read -r pkg; do \
	  targets=$$($(GO) test -list '^Fuzz' "$$pkg") || { echo "$$targets"; exit 1; }; \
	  for target in $$(echo "$$targets" | grep '^Fuzz'); do \
	    echo "fuzz $$pkg $$target"; \
	    for try in 1 2 3; do \
	      out=$$($(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" 2>&1) && code=0 || code=1; \
	      echo "$$out"; \
	      [ $$code -ne 0 ] && echo "$$out" | grep -qx ' *context deadline exceeded' || break; \
	    done; \
	    [ $$code -eq 0 ] || exit 1; \
	  done; \
	done

h2spec: h2spec-fetch ## Hold HTTP/2 against all cases of h2spec.
	PATH="$(CURDIR)/bin:$$PATH" WEIR_NEED_PROGRAMS=1 $(GO) test -count=1 -run TestH2spec ./cluster-test

h2spec-fetch: need-go # fetch and build it
	@GOBIN="$(CURDIR)/bin" $(GO) install $(H2SPEC)

bench: build ## Measure CPU per request beside nginx and others. QUICK=1, CASE=name, ROUNDS=n, PROXIES=weir,nginx; BENCH=list names the cases.
	@$(GO) build -o bin/bench ./cluster-test/bench
	@exec bin/bench $(BENCH)

profile: build ## Profile one case of the bench: make profile CASE=get-1k.
	@$(GO) build -o bin/bench ./cluster-test/bench
	@exec bin/bench profile

measure: build ## Run the long tests, which are left out of make test.
	WEIR_MEASURE=1 $(GO) test -count=1 -timeout 60m -v -run Measure $(PKG)

lint: vet ## Check formatting, vet and staticcheck.
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) run $(STATICCHECK) $(PKG)

staticcheck: need-go # fetch and build it
	@$(GO) run $(STATICCHECK) -version

vet: need-go ## Run go vet.
	$(GO) vet $(PKG)

cover: need-go ## Show which part of each package the tests reach.
	$(GO) test -cover $(PKG)

clean: ## Remove what was built and what make run wrote.
	rm -rf bin run
