# Two commands matter: `make demo` and `make test`. Both install what they need and are safe to repeat.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test bench campaign check build setup env clean

CARGO ?= cargo
CACHE ?= $(CURDIR)/.cache
OUT ?= $(CURDIR)/demo-out
export TATAU_CACHE := $(CACHE)
export PATH := $(CACHE)/uv/bin:$(PATH)
# As scripts/test does it, so that neither builds anew what the other has built.
ifeq ($(wildcard target/debug/incremental),)
export CARGO_INCREMENTAL := 0
endif

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: build env ## Render a real animation on three providers, one of whom cheats, and see who is paid
	@target/debug/tatau demo --out $(OUT)

test: setup ## Every check and test (under 25 minutes on two cores from a clean clone)
	@scripts/test

bench: build env ## Measure speed; docs/benchmarks.md explains the figures
	@scripts/bench

campaign: build env ## Long seeded runs: random lives of the market (SEEDS=…), kills of the real binaries (KILLS=…)
	@scripts/campaign

check: setup ## Format, lints, crate arrows, file sizes
	@$(CARGO) xtask check

build: setup ## The binary, target/debug/tatau (one profile builds everything)
	@$(CARGO) build --quiet --bins

setup: ## System packages and uv
	@scripts/setup

env: build ## The Blender environment (a 900 MB download the first time; tests add an older one)
	@target/debug/tatau provide environment blender-5.0

clean: ## Remove what was built here (the downloaded environments stay in .cache)
	@rm -rf target demo-out
