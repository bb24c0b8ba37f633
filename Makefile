# Thin names over scripts/. `make` alone prints them.
.DEFAULT_GOAL := help
.PHONY: help fmt lint test integration e2e all acceptance lock

help: ## print this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

fmt: ## format everything
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	.venv/bin/shfmt --write --indent 2 --case-indent scripts

lint: ## run every linter
	./scripts/test.sh --layer lint

test: ## tests that need no Docker
	./scripts/test.sh --quick

integration: ## tests against real Redis, Postgres and nginx
	./scripts/test.sh --layer integration

e2e: ## tests against the deployed stack
	./scripts/test.sh --layer e2e

all: ## everything
	./scripts/test.sh

acceptance: ## tests on new machines, up to 90 minutes
	./scripts/test.sh --layer acceptance

lock: ## write the lock files
	./scripts/lock.sh
