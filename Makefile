# What a fresh Debian 12 with Rust needs: `make run`, `make relay` and `make test` install what is missing by themselves.

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

# cmake and a C compiler build libopus and aws-lc; the codec crate links bcg729 and Speex.
BUILD_PACKAGES := build-essential cmake pkg-config libbcg729-dev libspeex-dev
# Browsers, softphones, SIP servers and relays that nobody here wrote; tools to make and to measure sound.
# Voice quality is judged by PESQ, which pip builds, on speech of 16 kHz.
TEST_PACKAGES := chromium baresip-core baresip-ffmpeg kamailio kamailio-websocket-modules kamailio-tls-modules \
	kamailio-outbound-modules sip-tester tshark openssl ffmpeg iproute2 iptables conntrack procps curl \
	asterisk-core-sounds-en-g722 python3-venv python3-dev
# Relays and gateways beside which Tandem is measured, speech to send through them (two hours in five languages, in which
# no digit may be heard), and valgrind, which counts instructions.
BENCH_PACKAGES := rtpengine-daemon janus valgrind $(foreach language,en es fr it ru,asterisk-core-sounds-$(language)-wav)
NODE_PACKAGES := $(shell command -v npm >/dev/null || echo nodejs npm)

# Seconds that each fuzz target runs in `make test`.
FUZZ_SECONDS ?= 10

.PHONY: bench-smoke run relay test build unit package e2e fuzz bench deps-build deps-test deps-bench check

run: deps-build
	cargo build --release --bin tandem --bin tandem-signaling --bin tandem-dataplane
	exec target/release/tandem

# Media for a SIP server of one's own: NG on UDP 127.0.0.1:2223, no SIP, no pages.
relay: deps-build
	cargo build --release --bin tandem --bin tandem-signaling --bin tandem-dataplane
	exec target/release/tandem --relay

test: deps-build deps-test deps-bench unit fuzz package e2e bench-smoke

# Formatting and lints, as CI wants them.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

unit: deps-build deps-test deps-bench
	cargo test --workspace

fuzz: deps-build
	tests/fuzz/run $(FUZZ_SECONDS)

# The page's library as an npm package: tested, its types checked and written, packed (tests/e2e/package.test.js installs it).
PACKED := $(abspath $(or $(CARGO_TARGET_DIR),target))/package
package: deps-test
	mkdir -p "$(PACKED)"
	cd signaling/web/lib && npm ci --no-audit --no-fund --silent && npm test && npm pack --silent --pack-destination "$(PACKED)"

e2e: deps-build deps-test package
	cargo build --workspace --bins
	cd tests/e2e && npm ci --no-audit --no-fund --silent && \
		$(SUDO) env "PATH=$$PATH" TANDEM_BIN="$(abspath $(or $(CARGO_TARGET_DIR),target))/debug" npm test

# Whether the generators and suites work, with whatever build on whatever machine; and the packet path's instructions.
bench-smoke: deps-build deps-bench
	cargo build --workspace --bins
	bench/smoke "$(abspath $(or $(CARGO_TARGET_DIR),target))/debug"

# Speed and memory, beside the peers. Not a part of `make test`: a busy machine must not fail it.
bench: deps-build deps-bench
	cargo build --release --bins
	bench/run

deps-build: PACKAGES = $(BUILD_PACKAGES)
deps-test: PACKAGES = $(TEST_PACKAGES) $(NODE_PACKAGES)
deps-bench: PACKAGES = $(BENCH_PACKAGES)
deps-build deps-test deps-bench:
	@missing=$$(for package in $(PACKAGES); do \
		dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	[ -z "$$missing" ] || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends $$missing; }
