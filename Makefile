# Every target is one line of Python, so that all of it works without make as well.
PYTHON ?= python3
SETUP := $(PYTHON) local/setup.py
RUN := .venv/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help setup up down status logs demo test check template invoke record rights prove bench plan api lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Python 3.13 and everything locked, into .venv and .local/tools
	@$(SETUP)

up: ## The whole venue on this machine (FORGET=1: without the data of earlier runs)
	@$(SETUP) && $(RUN) local up $(if $(FORGET),--forget)

down: ## Stop it; its data are kept (FORGET=1: not)
	@$(SETUP) && $(RUN) local down $(if $(FORGET),--forget)

status: ## What runs, where, and a token
	@$(SETUP) && $(RUN) local status

logs: ## The end of every log (NAME=matcher: follow one)
	@$(SETUP) && $(RUN) local logs $(NAME)

demo: ## Eight traders, real order flow, and the books checked afterwards
	@$(SETUP) && $(RUN) local.demo

test: ## Every test, the end-to-end ones on a venue of their own
	@$(SETUP) && $(RUN) pytest

check: ## Format, lint, types, architecture, templates: under a minute
	@$(SETUP) && $(RUN) local.check

template: ## Other people's checks on the templates: SAM, cfn-lint, checkov, cdk-nag; writes .local/template.json
	@$(SETUP) && $(RUN) tests.template.audit

invoke: ## One function on its recorded event (FUNCTION=PlaceOrder)
	@$(SETUP) && $(RUN) local.invoke $(FUNCTION)

record: ## Record the events under events/ anew, on a venue of its own
	@$(SETUP) && $(RUN) local.record

rights: ## Write down anew what every function and the matcher ask AWS for, by running all end-to-end tests
	@$(SETUP) && $(RUN) pytest tests/e2e tests/security --write-rights

prove: ## A long campaign, with faults that really happen (CAMPAIGN=differential N=20000000)
	@$(SETUP) && $(RUN) tests.campaigns $(CAMPAIGN) $(if $(N),--n $(N))

bench: ## The matcher's speed on this machine (BENCH=matcher, parts, outbox, recovery, engine ...)
	@$(SETUP) && $(RUN) bench.$(if $(BENCH),$(BENCH),matcher)

plan: ## Sizes, cost and latency for a rate of requests, beside a conventional sizing (RPS=500)
	@$(SETUP) && $(RUN) infra.plan $(if $(RPS),--rps $(RPS))

api: ## Write docs/api/openapi.yaml anew, from the functions
	@$(SETUP) && .venv/bin/python docs/api/generate.py

lock: ## Renew every lock
	@$(SETUP) && $(RUN) local.lock

clean: ## Stop the venue and remove everything that was made, but not the toolchain
	@$(SETUP) && $(RUN) local down --forget && rm -rf .local/builds .local/demo .local/bench .local/*venue .local/recording .aws-sam
