# `make demo` and `make test` are all the set-up that a bare Debian 12 needs.
#
# Each step of the set-up leaves a stamp file in $(VENV), so that a second run starts at once.

PYTHON ?= python3
VENV   ?= .venv
# Any build of PyTorch >= 2.4 will do, a CPU build is enough: make TORCH=torch==2.10.0
TORCH  ?= torch==2.13.0
# Test processes at once.
JOBS   ?= 2

BIN := $(VENV)/bin
# Commands that come from Debian, and the packages that hold them.
COMMANDS := iverilog g++ make perl ccache
PACKAGES := iverilog g++ make perl ccache

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format bench bench-mcu clean venv tools

help:  ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(VENV)/.demo tools  ## digits network: checkpoint to Verilog and C, simulated and compared
	$(BIN)/hwgen demo

test: $(VENV)/.test tools  ## the tests, under ten minutes on two cores
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS) tests

test-all: $(VENV)/.test tools  ## the tests, with thousands of random networks
	$(BIN)/python -m pytest --timeout 7200 -n $(JOBS) tests

lint: $(VENV)/.test  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test  ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench tools  ## speed and size beside other generators
	$(BIN)/python -m benchmarks

bench-mcu: $(VENV)/.bench tools  ## the C on simulated cores: cycles, memory, the simulators' speed
	$(BIN)/python -m benchmarks mcu mcu_layers mcu_cluster mcu_networks mcu_simulators

clean:  ## remove all that was built, the virtual environment included
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .ruff_cache

venv: $(VENV)/.torch  ## the virtual environment, with PyTorch only

# install_debian(packages): with apt where we may, else fail.
define install_debian
	if [ "$$(id -u)" = 0 ]; then sudo=; \
	elif sudo -n true 2>/dev/null; then sudo='sudo -n'; \
	else exit 1; fi; \
	command -v apt-get >/dev/null && $$sudo apt-get update -q && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(1)
endef

# Simulators and compilers. Without them everything else still works: `hwgen doctor` says what is lost.
tools:
	@missing=; for c in $(COMMANDS); do command -v $$c >/dev/null || missing="$$missing $$c"; done; \
	[ -z "$$missing" ] || { echo "installing from Debian:$$missing"; ( $(call install_debian,$(PACKAGES)) ); } || { \
	  echo "warning: not installed:$$missing; some simulators are left out."; \
	  echo "         An administrator gets them with: apt-get install $(PACKAGES)"; }

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: $(PYTHON) must be Python 3.10 or newer; name another one with: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || ( $(call install_debian,python3-venv) ) || { \
	  echo "error: $(PYTHON) cannot make virtual environments; install it with: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# PyTorch first and by itself: left to the resolver it may be a build of several gigabytes.
$(VENV)/.torch: | $(BIN)/python
	$(BIN)/python -m pip install -q '$(TORCH)'
	@touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.torch
	$(BIN)/python -m pip install -q -e .
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.torch
	$(BIN)/python -m pip install -q -e '.[test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: pyproject.toml $(VENV)/.test
	$(BIN)/python -m pip install -q -e '.[bench]'
	@touch $@
