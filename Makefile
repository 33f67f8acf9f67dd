# Waybill: what a developer types; `make` alone lists it. The work is done by prod/local, which needs Python 3.11 or newer.
.DEFAULT_GOAL := help
.PHONY: help run demo test lint bench faults fuzz machines clients clean

# Tried, not asked for its version: a pyenv shim is there for every Python that is not.
FIND = for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; python=; done; \
	test -n "$$python" || { echo "Waybill needs Python 3.11 or newer, and no python3 here is; install one (python.org, or your system's packages)." >&2; exit 1; };
LOCAL = @$(FIND) exec "$$python" -m prod.local

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: ## server, one worker and a Redis here, until Ctrl-C (RELOAD=1: started again when code was edited)
	$(LOCAL) run $(if $(filter-out 0,$(RELOAD)),--reload)

demo: ## a mail from curl to the outbox, with its log lines; nothing is left behind
	$(LOCAL) demo

test: ## all tests, each on a Redis of its own (a part: make test ONLY="unit redis.test_queue")
	$(LOCAL) test $(ONLY)

lint: ## ruff and mypy --strict
	$(LOCAL) lint

bench: ## the figures that the README gives, measured here, an hour (a part: make bench ARGS="post --rounds 1")
	$(LOCAL) bench $(ARGS)

faults: ## the engine under kills, cuts, outages and floods, a table at the end; 20 minutes (ARGS=--quick: fewer)
	$(LOCAL) faults $(ARGS)

fuzz: ## mutated requests at a real server for a minute (ARGS="--seconds 300 --seed 7")
	$(LOCAL) fuzz $(ARGS)

machines: ## the tests on Debian 12, 13 and sid, Redis and Valkey, in chroots; root, 40 minutes (ARGS="debian13 sid": some)
	$(LOCAL) machines $(ARGS)

clients: ## clients of others (curl, Node's, PyPI's) at a real server; installs them; 5 minutes (ARGS=refusals: a part)
	$(LOCAL) clients $(ARGS)

clean: ## take away what make made: environments and caches; logs/ and var/ (your jobs) stay
	rm -rf .venv .venv-lint .mypy_cache .ruff_cache tests/clients/.installed
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
