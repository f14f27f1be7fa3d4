# `make` lists the commands. Each of them brings packages and engine first, if they are not there yet.
PYTHON ?= python3
SYSTEM ?= rentalfix
STACK ?= prod
FORMAT ?= tree
BASE ?= HEAD
ARGS ?=

local := @$(PYTHON) local/bootstrap.py

.PHONY: help setup up down preview compare test bench docs lock

help:
	@echo "make up                    the whole platform on this machine, against an emulator of AWS"
	@echo "make down                  destroys it, and stops the emulator if nothing else stands in it"
	@echo "make preview STACK=prod    what a stack would be, without an AWS account (FORMAT=tree, diff or json)"
	@echo "make compare BASE=main     what your change makes of a stack, without an AWS account (STACK=..., FORMAT=...)"
	@echo "make test                  formatter, linter, types, tests (ARGS=... for pytest)"
	@echo "make bench                 how fast previews and policies are (ARGS=... for other systems than RentalFix)"
	@echo "make docs                  what is made from the code, anew: the picture in README, schemas, requirements, rules"
	@echo "make setup                 packages and engine only, for pipelines: the other commands bring them by themselves"
	@echo "make lock                  requirements.lock anew, from requirements.in"
	@echo "SYSTEM=name                up, down and preview of another system than $(SYSTEM)"

up down:
	$(local) $@ --system=$(SYSTEM)

preview:
	$(local) preview --system=$(SYSTEM) --stack=$(STACK) --format=$(FORMAT)

compare:
	$(local) $@ --system=$(SYSTEM) --stack=$(STACK) --base=$(BASE) --format=$(FORMAT)

test bench:
	$(local) $@ --arguments="$(ARGS)"

docs:
	@$(MAKE) --no-print-directory -s preview STACK=prod FORMAT=json | .venv/bin/python -m local.picture README.md
	@.venv/bin/python -m settings.schema
	@.venv/bin/python -m tests.requirements
	@.venv/bin/python -m tests.mutations
	@.venv/bin/python -m operations.policy

setup lock:
	$(local) $@
