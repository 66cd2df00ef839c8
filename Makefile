# The product is built without cgo; only the race detector needs it.
export CGO_ENABLED = 0
# As releases are built: what is compiled for one is there for the other.
export GOFLAGS := -trimpath $(GOFLAGS)

GO ?= go
FUZZTIME ?= 10m
GOFUMPT = $(GO) run mvdan.cc/gofumpt@v0.9.2
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0

# Every Go module in the tree; test/interop is apart so that the browser driver
# and the independent RTMP library stay out of the product's go.mod.
MODULES = . test/interop
PLATFORMS = linux/amd64 linux/arm64 darwin/arm64 freebsd/amd64

# Packages whose tests do less with -short: what they have in hand runs in one goroutine.
LONG = ./internal/dash ./internal/hls ./internal/mp4

.PHONY: build test deps lint unit interop cross bench bench-peers bench-latency fuzz test-traefik test-deb deb dist clean

build:
	$(GO) build -trimpath -o rtmpd ./cmd/rtmpd

# Everything a change must pass. Installs what it needs, see scripts/test-deps.
test: deps lint unit interop cross

deps:
	scripts/test-deps

lint:
	@for m in $(MODULES); do \
		echo "lint $$m"; \
		(cd $$m && \
			unformatted=$$($(GOFUMPT) -l .) && \
			{ [ -z "$$unformatted" ] || { echo "gofumpt would change:"; echo "$$unformatted"; exit 1; }; } && \
			$(GO) vet ./... && \
			$(STATICCHECK) ./...) || exit 1; \
	done

# lint has vetted; what takes long with the race detector is whole without it. The two
# that wait most of their time are first, beside each other: nothing else waits for them.
unit:
	@tmp=$$(scripts/test-tmp) && trap 'rm -rf "$$tmp"' EXIT && trap 'exit 1' HUP INT TERM && export TMPDIR="$$tmp" GOTMPDIR="$${TMPDIR:-/tmp}" && set -x && \
		CGO_ENABLED=1 $(GO) test -race -short -vet=off -timeout 15m ./cmd/rtmpd ./internal/server ./... && \
		$(GO) test -vet=off $(LONG)

# The real binary against ffmpeg, GStreamer, VLC, mpv, Chromium and the proxies;
# what they leave behind (screenshots, logs) is in test/artefacts.
interop:
	cd test/interop && $(GO) test -count=1 -parallel 4 -timeout 40m ./...

# The code for other systems, without building it: that takes ten times as long.
cross:
	cd test/interop && $(GO) run ./typecheck ../.. $(PLATFORMS)

# Prints goal beside result: first the packages' benchmarks, then the server under
# load, beside nginx-rtmp from apt. Fails when a goal is missed.
bench: deps
	@missed=0; \
	scripts/bench-goals || missed=1; \
	$(GO) run ./bench goals || missed=1; \
	exit $$missed

# RTMP players of rtmpd and of nginx-rtmp, in turns.
bench-peers: deps
	$(GO) run ./bench peers

# How old a picture is when a browser shows it, with low latency; what CPU a ladder of four takes.
bench-latency: deps
	cd test/interop && $(GO) test -count=1 -timeout 10m -tags latency -v -run 'TestGlassToGlass|TestFirstPictureBench|TestLadderCost' .

# Each fuzz target for FUZZTIME.
fuzz:
	scripts/fuzz $(FUZZTIME)

# Builds Traefik first: a quarter of an hour of CPU, once.
test-traefik:
	scripts/build-traefik
	cd test/interop && $(GO) test -count=1 -timeout 10m -tags traefik -run TestTraefik ./...

# Installs, upgrades and removes the Debian package in a chroot, then under a systemd
# that boots in name spaces of its own. Needs root.
test-deb: deb
	scripts/test-deb dist/rtmpd_*.deb
	scripts/test-systemd dist/rtmpd_*.deb

# dist/rtmpd_VERSION_ARCH.deb, for this machine's kind.
deb:
	packaging/deb/build

# What a release has: tarballs, Debian packages and SHA256SUMS in dist. The same commit
# gives the same bytes in whatever folder.
dist:
	packaging/dist

clean:
	rm -rf rtmpd dist test/artefacts
