# Everything that is done with this tree by hand or by a machine. `make` alone lists it.
PYTHON ?= python3
CARGO ?= cargo
# More threads than two only starve the servers on a small machine.
TEST_THREADS ?= 2

# What `make fuzz` runs with: how long for each target, and the fuzzer's front end.
SECONDS_EACH ?= 300
CARGO_FUZZ = 0.13.2
# A reader of files promises to stay below 768 MiB; no input of 4 KiB takes it a second, but a sanitizer on a busy machine may.
FUZZ_LIMITS = -rss_limit_mb=768 -timeout=10

# Where a panic came from; errors tell by themselves what they are about.
export RUST_BACKTRACE ?= 1
export RUST_LIB_BACKTRACE ?= 0

.DEFAULT_GOAL := help
.PHONY: help demo test unit e2e testbed lint fmt bench bench-channel soak fuzz

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A Milvus that is written to moves to another one, on this machine, and is proven equal
	$(PYTHON) tests/demo/demo.py

testbed: ## The Python environment and the real Milvus servers under the tests
	$(PYTHON) tests/python/provision.py

# The agents and all tests in one go: `cargo test` then finds everything built, with the same features.
test: testbed ## Every test: rules, protocol, and end to end on real servers
	$(CARGO) build --workspace --lib --bins --tests
	$(CARGO) test --workspace -- --test-threads=$(TEST_THREADS)

unit: ## Only the tests that need no Milvus
	$(CARGO) test --workspace --exclude passage-tests

# PASSAGE_TEST_TRANSPORT=quic and PASSAGE_TEST_DIALLER=target have the agents of all tests meet that way that do not choose one themselves.
e2e: testbed ## Only the tests on real servers; ONLY=part-of-a-name narrows them
	$(CARGO) build --workspace --lib --bins --tests
	$(CARGO) test --package passage-tests --test e2e -- --test-threads=$(TEST_THREADS) $(ONLY)

lint: ## Format, clippy, and dependencies where cargo-deny is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check --config deploy/lint/deny.toml; \
	else echo "cargo-deny is not installed: dependencies are not checked"; fi

fmt: ## Format the code
	$(CARGO) fmt --all

bench: testbed ## Rows per second against a plain script and against the ceiling; ROWS, DIM narrow it
	$(CARGO) build --release --package agent-source --package agent-target
	$(CARGO) bench --package passage-tests --bench throughput

bench-channel: ## What the channel costs over gRPC and QUIC, beside raw TCP, TLS, and plain tonic and quinn; SECONDS, RUNS, ONLY
	$(CARGO) bench --package passage-tests --bench channel

soak: testbed ## Faults, memory and live jobs at full length; ONLY=… narrows it, SEED=… replays a failure
	$(CARGO) build --release --package agent-source --package agent-target
	$(CARGO) test --release --package passage-tests --test soak -- --test-threads=1 --nocapture $(ONLY)

# A frame of too many items is longer than 4 KiB.
# What is found on the way stays below target/fuzz, and an input that fails below the crate's fuzz/artifacts.
fuzz: ## What reads others' bytes, against any bytes; SECONDS_EACH=300 a target, ONLY=… narrows it (needs nightly Rust)
	@$(CARGO) fuzz --version 2>/dev/null | grep -qF ' $(CARGO_FUZZ)' || $(CARGO) install cargo-fuzz --locked --version $(CARGO_FUZZ)
	@set -e; export ASAN_OPTIONS=quarantine_size_mb=16; \
	for crate in common/binlog common/channel; do for target in $$($(CARGO) +nightly fuzz list --fuzz-dir $$crate/fuzz); do \
		case $$target in *$(ONLY)*) ;; *) continue ;; esac; \
		case $$target in frames) longest=16384 ;; *) longest=4096 ;; esac; \
		mkdir -p target/fuzz/corpus/$$target; \
		$(CARGO) +nightly fuzz run --fuzz-dir $$crate/fuzz --target-dir $(CURDIR)/target/fuzz/build $$target target/fuzz/corpus/$$target \
			$$crate/fuzz/corpus/$$target $$(ls -d $$crate/samples 2>/dev/null) -- $(FUZZ_LIMITS) -max_len=$$longest -max_total_time=$(SECONDS_EACH); \
	done; done
