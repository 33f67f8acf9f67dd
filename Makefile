# Waybill: what a developer types; `make` alone lists it. The work is done by prod/local, which needs Python 3.11 or newer.
.DEFAULT_GOAL := help
.PHONY: help run demo test browser lint bench faults fuzz machines clients pictures clean

# Each python is run, not looked up: pyenv has a shim even for a Python that is not installed.
FIND = for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; python=; done; \
	test -n "$$python" || { echo "Waybill needs Python 3.11 or newer, and no python3 here is; install one (python.org, or your system's packages)." >&2; exit 1; };
LOCAL = @$(FIND) exec "$$python" -m prod.local

help: ## list these commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: ## run server, one worker and a Redis here, until Ctrl-C (RELOAD=1: start them again when code was edited)
	$(LOCAL) run $(if $(filter-out 0,$(RELOAD)),--reload)

demo: ## show a mail on its way from curl to the outbox, with its log lines; leave nothing behind
	$(LOCAL) demo

test: ## run all tests, on Redis servers of their own (a part: make test ONLY="unit redis.test_claim")
	$(LOCAL) test $(ONLY)

browser: ## install Chromium (Debian) for the tests of the dashboard, which are skipped without it
	$(LOCAL) browser

lint: ## run ruff and mypy --strict
	$(LOCAL) lint

bench: ## measure the README's figures on this machine; an hour (a part: make bench ARGS="post --rounds 1")
	$(LOCAL) bench $(ARGS)

faults: ## test real processes under kills, cuts, outages and floods; 20 minutes (ARGS=--quick: fewer faults)
	$(LOCAL) faults $(ARGS)

fuzz: ## send mutated requests to a real server for a minute (ARGS="--seconds 300 --seed 7")
	$(LOCAL) fuzz $(ARGS)

machines: ## run the tests in chroots of Debian 12, 13 and sid, as root; 40 minutes (ARGS="debian13 sid": some)
	$(LOCAL) machines $(ARGS)

clients: ## try the HTTP clients of Node, PyPI and curl on a real server; installs them; 5 minutes (ARGS=refusals: a part)
	$(LOCAL) clients $(ARGS)

pictures: ## take the pictures of README and prod/pictures from a live Waybill; an hour (ARGS="--minutes 2": a look)
	$(LOCAL) pictures $(ARGS)

clean: ## remove the environments and caches that make made; logs/ and var/ (your jobs) stay
	rm -rf .venv .venv-lint .mypy_cache .ruff_cache tests/clients/.installed
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
