# One door to everything a person or CI does here. `make` lists the targets; V=1 shows the commands.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
ifneq ($(V),1)
.SILENT:
endif

VENV := .venv
INVENTORY := -i inventories/lab/hosts.yml -i inventories/lab/plan.yml
# Ansible shows what changed or failed; what each step did is told by the steps themselves (docs/start.md).
QUIET := ANSIBLE_DISPLAY_OK_HOSTS=false ANSIBLE_DISPLAY_SKIPPED_HOSTS=false ANSIBLE_DISPLAY_INCLUDED_HOSTS=false
DRILL_ARGS ?= -e scope=payments -e fault=$(CURDIR)/tests/lab/faults/primary_crashed.yml
RESTORE_ARGS ?= -e scope=payments -e restore_mode=drill -e restore_controls=$(CURDIR)/tests/lab/restore_controls.yml
SCENARIOS ?=
FAULTS ?=
VERBS ?=
PYTEST_ARGS ?= -q
# Unit tests share nothing, and those with servers of their own mostly wait: twice as many at once as there are cores (0: in
# this process, for a debugger). Whoever has none left takes over from the others, or the last one would end alone.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
AT_ONCE = -n $(WORKERS) --dist worksteal
BENCH_ROUNDS ?= 5
BENCH_CASES ?=
BENCH_RESTORE ?=
STAGES ?= lint types docs-lint docs build sanity importer lab molecule unit unit-oldest verbs consumer drill-restore faults bench-guard

# The environment's programs come first on PATH: Molecule calls plain `pytest`, and another one would not know its arguments.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/build/cache/hypothesis

TREE := build/collections/ansible_collections/continuity/dr
COPY := build/copy/ansible_collections/continuity/dr
RUN := $(VENV)/.run
DEV := $(VENV)/.dev

# An environment whose Python has gone (an upgrade, a removed pyenv version) is made anew.
ifneq ($(wildcard $(VENV)/bin),)
ifeq ($(wildcard $(VENV)/bin/python),)
$(shell rm -f $(RUN) $(DEV))
endif
endif

.PHONY: help
help:  ## this list
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	echo
	echo "Start with 'make drill'. Before sending a change: 'make test' (or one of its parts)."

# ---- the environment -------------------------------------------------------------------------------------------------
.PHONY: venv collection packages
venv: $(DEV) collection  ## .venv with everything (PYTHON=/path/to/python3 to choose one)

$(RUN): requirements.txt requirements-lab.txt
	tests/tools/make_venv $(VENV) "" requirements-lab.txt $@

$(DEV): requirements-dev.txt $(RUN)
	tests/tools/make_venv $(VENV) "" requirements-dev.txt $@

collection: $(TREE)  ## build/collections: this checkout where Ansible looks for continuity.dr

$(TREE):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@

packages:  ## Debian packages that tests start programs from
	tests/tools/debian_packages.sh tests

# ---- the lab ---------------------------------------------------------------------------------------------------------
.PHONY: lab lab-down lab-reset lab-status drill drill-restore
lab: $(RUN) collection  ## two sites of containers, up and healthy
	tests/tools/debian_packages.sh lab
	python tests/lab/lab.py up

lab-down: $(RUN)  ## remove the lab, nothing stays
	python tests/lab/lab.py down

lab-reset: $(RUN) collection  ## the lab back to its healthy state, in seconds
	python tests/lab/lab.py reset

lab-status: $(RUN)  ## what runs where
	python tests/lab/lab.py status

drill: lab  ## kill a primary under load, fail over, verify, fail back, report (DRILL_ARGS=...)
	$(QUIET) ansible-playbook continuity.dr.drill $(INVENTORY) $(DRILL_ARGS)

drill-restore: lab  ## restore and prove each copy of a backup, damage it and see that noticed, report (RESTORE_ARGS=...)
	python tests/lab/lab.py reset # what was done in the lab before must not decide what its backups hold
	python tests/lab/heartbeat.py
	$(QUIET) ansible-playbook continuity.dr.restore $(INVENTORY) $(RESTORE_ARGS)

# ---- tests -----------------------------------------------------------------------------------------------------------
.PHONY: test unit unit-oldest molecule verbs consumer
test: $(DEV) collection  ## everything, with the time of each (STAGES="lint unit")
	tests/tools/debian_packages.sh tests || echo "Stages that need them will fail."
	python tests/tools/stages.py $(STAGES)

unit: $(DEV) collection packages  ## unit tests (PYTEST_ARGS=...)
	tests/tools/unit build/cache/unit $(AT_ONCE) $(PYTEST_ARGS)

unit-oldest: collection packages  ## unit tests and playbook syntax on the oldest supported pair
	tests/tools/oldest .venv-oldest 3.11 $(AT_ONCE) $(PYTEST_ARGS)

molecule: lab $(DEV)  ## Molecule scenarios on the lab (SCENARIOS="failover/primary_crashed", SCENARIOS=--share=commit)
	python tests/tools/scenarios.py $(SCENARIOS)

verbs: lab $(DEV)  ## verbs in the lab: refusals, two operators, failures, numbers (PYTEST_ARGS="-k lag", VERBS=--share=commit)
	python -m pytest -p share -p no:cacheprovider tests/lab/verbs $(VERBS) $(PYTEST_ARGS)

consumer: build lab  ## examples/consumer from the archive, with the rights of a login of its own (PYTEST_ARGS=...)
	python -m pytest -p no:cacheprovider tests/consumer $(PYTEST_ARGS)

.PHONY: faults
# The faults take 45 minutes, the 388 kill points two and a half hours, the schedules half an hour. --core tries two kill
# points; where faults are named, none.
faults: lab $(DEV)  ## break things in the lab while oracles watch, four hours (FAULTS="F01 F12", FAULTS=--core: 10 minutes)
	tests/tools/faults $(FAULTS)

.PHONY: bench bench-guard bench-restore
bench: lab  ## the collection and its peers side by side, more than an hour (BENCH_ROUNDS=1 BENCH_CASES="floor_planned ...")
	python -m benchmarks --rounds "$(BENCH_ROUNDS)" --cases "$(BENCH_CASES)"

bench-guard: lab  ## fail when a move has become slower against the floor than benchmarks/bounds.json allows
	python -m benchmarks.guard --rounds "$(BENCH_ROUNDS)"

bench-restore: $(RUN) collection packages  ## backup and restore of 5 GiB beside bare pgBackRest, a quarter of an hour (BENCH_RESTORE="--gb 1")
	python -m benchmarks.restore $(BENCH_RESTORE)

# ---- gates -----------------------------------------------------------------------------------------------------------
.PHONY: lint format types docs-lint docs sanity importer build
lint: $(DEV) collection  ## ruff, yamllint, ansible-lint (production)
	tests/tools/lint

format: $(DEV)  ## put Python into the house's form
	ruff check --quiet --fix
	ruff format --quiet

types: $(DEV) collection  ## mypy
	tests/tools/types

docs-lint: $(DEV) collection  ## plugin, role and changelog documentation
	tests/tools/docs_lint

docs: $(DEV) collection  ## the reference as HTML, in build/docs; a warning fails
	tests/tools/docs_build build/docs

sanity: $(DEV) packages  ## ansible-test sanity on a copy of the tree
	python tests/tools/sanity.py $(COPY)

build: $(DEV)  ## the collection's archive, in build/dist
	python tests/tools/copy_tree.py $(COPY)
	rm -rf build/dist
	ansible-galaxy collection build $(COPY) --output-path build/dist >/dev/null
	ls -sh build/dist/*.tar.gz

importer: build .venv-importer/.ready  ## what Galaxy says of the archive
	tests/tools/importer .venv-importer build/dist

.venv-importer/.ready: requirements-importer.txt
	tests/tools/make_venv .venv-importer "" requirements-importer.txt $@

# ---- cleaning --------------------------------------------------------------------------------------------------------
.PHONY: clean
clean:  ## remove environments and everything that was built; runs/ stays, a running lab must go first
	if [ -x $(VENV)/bin/python ] && [ -e build/lab ]; then python tests/lab/lab.py down; fi
	rm -rf $(VENV) .venv-oldest .venv-importer build .ansible
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
