# The handful of commands that this project needs. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := containerd runc containernetworking-plugins nftables conntrack iproute2 busybox-static
ARGS ?=

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

up: setup  ## start a cluster on this machine (needs root), installing what is missing
	@$(BIN)/pybernetes up $(ARGS)

down:  ## stop the cluster; ARGS=--purge also forgets its data
	@if [ -x $(BIN)/pybernetes ]; then $(BIN)/pybernetes down $(ARGS); else echo "Nothing is installed."; fi

test: setup  ## check the style and the types, and pass all tests
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest $(ARGS)

check: $(VENV)/installed  ## lint, types, and the one-way imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup  ## measure: start, first pod, memory, API rates
	@$(BIN)/python benchmarks/run.py $(ARGS)

setup: packages $(VENV)/installed  ## install what up and test need: Debian packages and a .venv

packages:
	@missing=""; \
	command -v dpkg-query >/dev/null || exit 0; \
	for package in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" != 0 ]; then echo "Missing:$$missing. Run as root: apt-get install$$missing"; exit 1; fi; \
	  echo "Installing$$missing ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

$(VENV)/installed: pyproject.toml
	@echo "Installing pybernetes into $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

.PHONY: help up down test check bench setup packages
