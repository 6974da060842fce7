# One door to everything. `make demo` and `make test` call what they need first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
ELSEWHERE := SNOWMELT_LAB_STATE,SNOWMELT_LAB_CACHE,SNOWMELT_LAB_NETNS,SNOWMELT_BENCH,SNOWMELT_YEAR
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo --preserve-env=$(ELSEWHERE))
CODE := plugins include dags lab tests
UNIT := not lab and not contract and not long and not runs

.PHONY: help setup packages python lab-up lab-down lab-status demo demo-down check test test-long contract bench year lock verify-proof

help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: packages python  ## Install what is missing: Debian packages, .venv
	@echo "setup: all there"

packages python:  # it looks each time: a stamp may have been made on another machine
	@tools/setup $@

lab-up: packages python  ## Start the private cloud (what runs already is left alone)
	@$(ROOT) $(PY) -m lab up

lab-down:  ## Stop it; the image cache stays
	@if [ -x $(PY) ]; then $(ROOT) $(PY) -m lab down; else echo "the lab is down"; fi

lab-status: python  ## Say what of it runs
	@$(ROOT) $(PY) -m lab status

demo: packages python  ## A release goes out while clients keep clicking; UI and lab stay up
	@$(ROOT) $(PY) -m lab up
	$(ROOT) $(PY) -m lab.demo up

demo-down: python  ## Stop demo, Airflow and lab
	@$(ROOT) $(PY) -m lab.demo down
	$(ROOT) $(PY) -m lab down

check: python  ## Format, lint, types, unit tests: what has to be clean before a commit
	@echo "check: format" && .venv/bin/ruff format --check --quiet .
	echo "check: lint" && .venv/bin/ruff check --quiet .
	echo "check: types and unit tests, side by side"
	.venv/bin/mypy --no-error-summary $(CODE) > var/stamps/types.log 2>&1 & types=$$!
	failed=0
	$(PY) -m pytest -m "$(UNIT)" -n auto --dist loadfile || failed=1
	wait $$types || failed=1
	cat var/stamps/types.log
	exit $$failed

test: packages check  ## Everything: check, whole runs, contract suite, end to end in the lab
	@echo "test: whole runs; beside them the contract suite, then the lab's start: they mostly wait"
	$(ROOT) true  # what runs beside cannot ask for a password
	trap 'exit 130' INT TERM HUP
	set -m  # a group of its own: what ignores Ctrl-C can be ended as a whole
	{ $(PY) -m pytest tests/contract -m contract -rs && $(ROOT) $(PY) -m lab up --fresh; } \
	    < /dev/null > var/stamps/beside.log 2>&1 & beside=$$!
	set +m
	trap '$(ROOT) kill -- -$$beside 2> /dev/null || true' EXIT
	failed=0
	$(PY) -m pytest -m runs -n auto --dist worksteal || failed=1
	wait $$beside || failed=1
	trap - EXIT
	cat var/stamps/beside.log
	[ $$failed = 0 ]
	echo "test: end to end in the lab" && $(ROOT) $(PY) -m pytest tests/lab -m lab -v --durations=15

test-long: packages python  ## End to end in the lab what takes too long for `test`: over an hour
	@$(ROOT) $(PY) -m lab up --fresh
	$(ROOT) $(PY) -m pytest tests/lab -m long -v --durations=15

contract: python  ## OpenNebula suite; of yours: make contract ONE_XMLRPC=http://… ONE_AUTH=file
	@echo "contract: $(or $(ONE_XMLRPC),a front-end of the lab)"
	$(PY) -m pytest tests/contract -m contract -rs

bench: packages python  ## What a rotation of 1,000 VMs costs; shorter: make bench VMS=100
	@$(ROOT) $(PY) -m lab.bench --vms $(or $(VMS),1000)

year: packages python  ## What each system keeps after a year of rotations; shorter: make year DAYS=60
	@$(ROOT) $(PY) -m lab.year --days $(or $(DAYS),365) --names $(or $(NAMES),50) $(YEAR)

verify-proof: python  ## Was a day's proof altered? make verify-proof DIR=…/proof [KEY="public.pem …"]
	@PYTHONPATH=plugins:. $(PY) -m snowmelt.verify_proof "$(DIR)" $(foreach key,$(KEY),--key "$(key)")

lock: python  ## Compile requirements*.in into hashed requirements*.txt
	@for part in requirements requirements-dev; do
	    echo "lock: $$part" && var/tools/bin/uv pip compile --quiet $$part.in --python-version 3.11 \
	        --generate-hashes --no-emit-index-url --output-file $$part.txt
	done
