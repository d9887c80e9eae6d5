# Everything that can be done with this tree. Nothing here is clever: each
# target is the command that you could type.

GO      ?= go
FUZZ    ?= 60s
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

export CGO_ENABLED ?= 0

.PHONY: help build install demo first-search test race fuzz torture peers bench lint fmt picture screenshots

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## bin/waybill, one static binary
	$(GO) build -trimpath -ldflags "-s -w" -o bin/waybill ./cmd/waybill

install: ## waybill into GOBIN
	$(GO) install -trimpath -ldflags "-s -w" ./cmd/waybill

demo: build ## a fleet of gateways to look at, in the browser
	bin/waybill demo

first-search: build ## import the bundled logs and search them
	@sh examples/first-search.sh bin/waybill

# What runs the built program is never taken from the cache: go test does not
# know that it depends on it.
test: ## all tests; needs nothing beyond Go
	$(GO) test $$($(GO) list ./... | grep -v /test/)
	$(GO) test -count=1 ./test/...

race: ## all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

fuzz: ## every fuzz target for FUZZ (60s) each
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for name in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$name"; \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZ) $$pkg; \
	  done; done

torture: ## crash, disk-full and kill -9 tests, the long way
	$(GO) test -timeout 2h -count 20 -run 'Crash|Power|Kill|Property|DiskFull' ./internal/...
	WAYBILL_TORTURE=1 $(GO) test -timeout 2h -count 1 ./test/oracle ./test/fleet ./internal/export ./test/peers/rotation

peers: ## tests against the real programs; a missing one is an error
	WAYBILL_REQUIRE_PEERS=1 $(GO) test -count=1 ./test/... ./bench/...

bench: build ## Waybill and its peers side by side, a table of ratios
	$(GO) run ./bench

lint: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt would change:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck ./...

fmt: ## gofmt
	gofmt -w $$(git ls-files '*.go')

picture: build ## docs/img/search.svg from a real session
	sh docs/img/make.sh bin/waybill

screenshots: ## docs/img/*.png from the bundled logs (needs chromium)
	$(GO) run ./test/browser/shots
