# `make` lists the commands. Each of them brings packages and engine first, if they are not there yet.
PYTHON ?= python3
SYSTEM ?= rentalfix
STACK ?= prod
FORMAT ?= tree
ARGS ?=

local := @$(PYTHON) local/bootstrap.py

.PHONY: help up down preview test bench docs lock

help:
	@echo "make up                    the whole platform on this machine, against an emulator of AWS"
	@echo "make down                  destroys it, and stops the emulator if nothing else stands in it"
	@echo "make preview STACK=prod    what a stack would be, without an AWS account (FORMAT=tree, diff or json)"
	@echo "make test                  formatter, linter, types, tests (ARGS=... for pytest)"
	@echo "make bench                 how fast previews and policies are (ARGS=... for other systems than RentalFix)"
	@echo "make docs                  what is made from the code, anew: the picture in README, schemas, requirements"
	@echo "make lock                  requirements.lock anew, from requirements.in"
	@echo "SYSTEM=name                up, down and preview of another system than $(SYSTEM)"

up down:
	$(local) $@ --system=$(SYSTEM)

preview:
	$(local) preview --system=$(SYSTEM) --stack=$(STACK) --format=$(FORMAT)

test bench:
	$(local) $@ --arguments="$(ARGS)"

docs:
	@$(MAKE) --no-print-directory -s preview STACK=prod FORMAT=json | .venv/bin/python -m local.picture README.md
	@.venv/bin/python -m settings.schema
	@.venv/bin/python -m tests.requirements

lock:
	$(local) lock
