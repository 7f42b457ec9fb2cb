# make help lists what there is to do.

GO    ?= go
BENCH ?=
PART  ?=
DURATION ?= 10m
STORM    ?= 1m

# A build needs no git, and in a folder that git takes for another user's it would fail.
export GOFLAGS ?= -buildvcs=false

.DEFAULT_GOAL := help
.PHONY: help check deps demo test vet other-builds generated sanitize nested soak bench report profile parity lint generate clean kernels arm64 docker-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install what is missing (apt) and vendor liburing
	@scripts/deps.sh
	@scripts/vendor-liburing.sh

demo: deps ## see it work: this kernel's io_uring, cat, and a copy beside liburing's own
	@scripts/demo.sh

test: deps vet generated other-builds nested ## vet, build, the whole suite, also with -race
	$(GO) build ./...
	$(GO) test -timeout 10m ./...
	$(GO) test -timeout 10m -race ./...
	$(GO) test -timeout 10m -tags liburing_debug $$(scripts/rooms.sh debug)
	CGO_ENABLED=0 $(GO) test -timeout 10m $$(scripts/rooms.sh nocgo)
	$(GO) test -timeout 10m -tags liburing_go -race ./tests/model ./uringtest

vet: deps ## go vet and gofmt
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...

generated: deps ## fail if a generated file is stale
	$(GO) run ./internal/genconst -check
	$(GO) run ./internal/gen -check
	$(GO) run ./internal/parity -check
	$(GO) run ./internal/survey -check

nested: ## the modules of their own: the report, programs of other libraries, connections tested by others
	$(GO) -C bench/report vet ./...
	$(GO) -C bench/report test ./...
	$(GO) -C bench/peers vet ./...
	$(GO) -C tests/ringio vet ./...
	$(GO) -C tests/ringio test ./...
	$(GO) -C bench/pebble vet ./...
	$(GO) -C bench/pebble test ./...

other-builds: ## the builds without Linux, without cgo, and for other processors
	CGO_ENABLED=0 $(GO) vet ./...
	$(GO) vet -tags liburing_go . ./tests/... ./uringtest
	@for arch in arm64 s390x 386; do \
		echo "GOARCH=$$arch $(GO) vet ./..."; CGO_ENABLED=0 GOARCH=$$arch $(GO) vet ./... || exit; done
	@for arch in riscv64 ppc64le mips64le loong64 arm mips; do \
		echo "GOARCH=$$arch $(GO) vet ."; CGO_ENABLED=0 GOARCH=$$arch $(GO) vet . || exit; done
	GOOS=darwin GOARCH=arm64 $(GO) vet . ./doctor ./loopio ./ringio ./tests/build
	GOOS=windows $(GO) build . ./ringio
	GOOS=windows GOARCH=386 $(GO) vet .
	GOOS=freebsd $(GO) build . ./ringio

sanitize: deps ## the suite under cgocheck2 and the address sanitizer
	scripts/sanitize.sh

soak: deps ## files, sockets, timers and cancels on several loops and ringio at full load, 10 minutes (DURATION=1h), then 6 of storms (STORM=5m: 30)
	$(GO) test -count=1 -v -timeout 0 -run TestLoad ./tests/soak -duration $(DURATION)
	$(GO) test -count=1 -v -timeout 0 -run TestStorm ./ringio -storm $(STORM) -connections 500

bench: deps ## measure against C and others; says how long it takes (BENCH="nop echo/loop/64 …": only those)
	@scripts/deps.sh fio wrk mkfs.ext4 losetup mount || echo "bench: goes on without what could not be installed"
	$(GO) run ./bench $(BENCH)

report: ## turn the measurements into bench/results/report.html, docs/benchmarks.md and docs/scaling.md
	$(GO) -C bench/report run .

profile: deps ## where the processor's time goes, for no-ops, echo servers and reads, by perf (root, a minute)
	scripts/profile.sh

parity: deps ## compare with liburing, function by function, and write docs/parity.md
	$(GO) run ./internal/parity

check: ## all that can be found out here, hours; a table at the end (PART="race fuzz …": only those)
	@scripts/check.sh $(PART)

lint: vet ## more opinions: staticcheck, shellcheck
	@scripts/lint.sh

generate: deps ## write the generated files anew
	$(GO) generate ./...

kernels: deps ## the suite on other kernels, in qemu
	scripts/kernels.sh

arm64: deps ## the suite on arm64, with pages of 4 and of 16 KiB, with cgo and without, in qemu
	scripts/kernels.sh trixie-backports:cloud-arm64 trixie-backports:arm64-16k
	BACKEND=go scripts/kernels.sh trixie-backports:cloud-arm64 trixie-backports:arm64-16k

docker-test: ## build the image and run a service in it
	scripts/docker-test.sh

clean: ## remove what was built and vendored
	@scripts/vendor-liburing.sh --clean
	rm -rf bin bench/results bench/tmp
