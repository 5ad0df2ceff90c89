# Nightjar. `make help` lists the targets; `make demo` and `make test` are all a stranger needs.

GO      ?= go
BUILD   := build
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# The agent carries openh264 (cgo), linked statically; the other programs are pure Go.
X       := -X github.com/nightjar-cam/nightjar/cmd/internal/cli.Version=$(VERSION)
PURE    := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w $(X)'
AGENT   := CGO_ENABLED=1 $(GO) build -trimpath -tags netgo,osusergo \
           -ldflags '-s -w -linkmode external -extldflags -static $(X)'
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

AGENT_MAX_BYTES := 16777216
# A number of executions: with a time, go test fails when its clock runs out inside one.
FUZZTIME ?= 100000x
BENCH    ?= .

.PHONY: help deps deps-build deps-cross build man demo test check bench bench-motion score-motion fuzz fuzz-motion lint cross \
	test-arm64 lab-arm64 kills deps-faults faults faults-long ota-faults mutants interop deps-board board-test clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: deps-build ## install what build and test need (apt; prints the line to run when it may not)
	@.ci/install age:age ffprobe:ffmpeg ssh-keygen:openssh-client

deps-build:
	@.ci/install cc:gcc c++:g++

build: deps-build ## build nightjar, nightjar-hub and nightjarctl into build/
	@mkdir -p $(BUILD)
	$(AGENT) -o $(BUILD)/nightjar ./cmd/nightjar
	$(PURE) -o $(BUILD)/nightjar-hub ./cmd/nightjar-hub
	$(PURE) -o $(BUILD)/nightjarctl ./cmd/nightjarctl

man: build ## the manual pages, into build/man
	@mkdir -p $(BUILD)/man
	@for p in nightjar nightjar-hub nightjarctl; do $(BUILD)/$$p help --man >$(BUILD)/man/$$p.1; done; ls $(BUILD)/man/*.1

demo: build ## the whole way on real footage: camera, hub, owner; ends with the clips
	@docs/demo.sh $(BUILD)

test: deps ## all tests, with the race detector
	$(GO) test -race -timeout 20m ./...

check: lint test cross test-arm64 lab-arm64 fuzz ## everything that must hold before a release

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l .)" || { echo "gofmt -w these files:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

fuzz: ## run each fuzz target for FUZZTIME (100000x: so many executions)
	@.ci/fuzz $(FUZZTIME)

bench: deps ## Go benchmarks, beside their peers
	@.ci/bench '$(BENCH)'

bench-motion: deps-build ## the motion detector beside OpenCV, motion and memcpy, with goals (4 minutes)
	@.ci/bench-motion

score-motion: ## the motion detector against labelled films (NIGHTJAR_FOOTAGE) and hardships, with goals (2 minutes)
	@.ci/score-motion

fuzz-motion: ## ten million random blocks through each implementation of the pixel pass, on amd64 and arm64 (nightly)
	@.ci/install qemu-aarch64-static:qemu-user-static
	@.ci/fuzz-motion

kills: deps ## SIGKILL agent and hub 50 times on the way of a clip
	NIGHTJAR_KILLS=50 $(GO) test -count=1 -v -timeout 20m -run TestKills ./cmd/internal/e2e

deps-faults: deps-build
	@.ci/install ip:iproute2 tc:iproute2 nft:nftables nsenter:util-linux strace:strace mkfs.ext4:e2fsprogs fusermount3:fuse3 \
		losetup:mount mosquitto:mosquitto perl:perl

faults: deps-faults ## the table of faults, each with its figure and goal: cuts, kills, cards, networks, peers (root; some 8 minutes of CPU)
	@.ci/faults

faults-long: deps-faults ## the same at full size: every boundary, every cut (hours)
	@NIGHTJAR_FAULTS=long .ci/faults

ota-faults: ## updates cut at every sector, torn, reordered, on failing cards, with each boot loader (NIGHTJAR_FAULTS=long: hours)
	@NIGHTJAR_RIGS=./ota/... .ci/faults

mutants: deps-faults ## each defence removed in a copy of the tree, and the test that goes red (root; NAMES=pattern)
	@.ci/mutants "$(NAMES)"

interop: deps-faults ## agent and hub through Debian's mosquitto, set up as docs/mosquitto says: clips, kills, camera A as B (root)
	@.ci/interop

deps-board: deps deps-cross
	@.ci/install qemu-system-aarch64:qemu-system-arm mke2fs:e2fsprogs cpio:cpio depmod:kmod xz:xz-utils \
		/usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring

board-test: deps-board build ## the agent on an emulated ARM64 board with a virtual camera (QEMU; downloads a Debian kernel once)
	@mkdir -p $(BUILD)/arm64
	GOOS=linux GOARCH=arm64 CC=aarch64-linux-gnu-gcc CXX=aarch64-linux-gnu-g++ $(AGENT) -o $(BUILD)/arm64/nightjar ./cmd/nightjar
	@.ci/board
	@.ci/board-test

deps-cross:
	@.ci/install aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu aarch64-linux-gnu-g++:g++-aarch64-linux-gnu \
		arm-linux-gnueabihf-gcc:gcc-arm-linux-gnueabihf arm-linux-gnueabihf-g++:g++-arm-linux-gnueabihf \
		qemu-aarch64-static:qemu-user-static qemu-arm-static:qemu-user-static

cross: deps-cross ## static agents for arm64 and armv7, and their size against the limit
	@mkdir -p $(BUILD)/arm64 $(BUILD)/armv7
	GOOS=linux GOARCH=arm64 CC=aarch64-linux-gnu-gcc CXX=aarch64-linux-gnu-g++ $(AGENT) -o $(BUILD)/arm64/nightjar ./cmd/nightjar
	GOOS=linux GOARCH=arm GOARM=7 CC=arm-linux-gnueabihf-gcc CXX=arm-linux-gnueabihf-g++ $(AGENT) -o $(BUILD)/armv7/nightjar ./cmd/nightjar
	GOOS=linux GOARCH=arm64 $(PURE) -o $(BUILD)/arm64/ ./cmd/nightjar-hub ./cmd/nightjarctl
	GOOS=linux GOARCH=arm GOARM=7 $(PURE) -o $(BUILD)/armv7/ ./cmd/nightjar-hub ./cmd/nightjarctl
	@.ci/static $(AGENT_MAX_BYTES) $(BUILD)/arm64/nightjar $(BUILD)/armv7/nightjar

test-arm64: deps deps-cross ## the unit tests as arm64 programs under qemu-user
	@.ci/test-arm64

lab-arm64: ## the detector says the same, byte by byte, on amd64 and arm64
	@.ci/install qemu-aarch64-static:qemu-user-static
	@.ci/lab-arm64

clean: ## remove build/
	rm -rf $(BUILD)
