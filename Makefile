# Two commands do everything on a fresh machine: `make run` and `make test`.
# What they make lies in .venv and in the tools' caches; `make clean` removes it. No root, no git needed.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Passed through to the program behind a target: make run ARGS="--cycles 100", make test ARGS="-k money".
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test lint bench chaos mutate differential clean FORCE

# Ray starts a Python per actor; without compiled files every one of them imports several times slower.
unexport PYTHONDONTWRITEBYTECODE
# Another project's modules on the path would be checked and run in place of ours.
unexport PYTHONPATH

help:
	@echo 'make run     install once, then start the default desk (paper money)   ARGS="--cycles 100"'
	@echo 'make test    install the development tools once, then run all checks   ARGS="-k money"'
	@echo 'make lint    only the static checks: format, lint, types, imports'
	@echo 'make chaos   kill the actors of running desks, DEATHS=40 random ones after everybody once'
	@echo 'make mutate  break the rules that money depends on, one at a time: which tests notice?'
	@echo 'make differential   the same signals in our two engines, vectorbt and backtesting.py: do they agree?'
	@echo 'make bench   measure latency and throughput into benchmarks/results/'
	@echo 'make clean   remove the virtual environment and all caches, never a journal'

run: $(VENV)/.installed-run
	@exec $(VENV)/bin/tg run $(ARGS)

test: lint
	$(PY) -m pytest $(ARGS)

lint: $(VENV)/.installed-dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

# Every benchmarks/bench_*.py prints one JSON object.
bench: $(VENV)/.installed-run
	@mkdir -p benchmarks/results
	@set -e; for script in benchmarks/bench_*.py; do \
	    result=benchmarks/results/$$(basename $$script .py).json; \
	    echo "$$script -> $$result"; \
	    $(PY) $$script $(ARGS) > $$result.part; \
	    mv $$result.part $$result; \
	done

# The long version of the deaths that CI sees: everybody once, then as many random ones as asked for.
chaos: $(VENV)/.installed-dev
	TG_CHAOS_DEATHS=$(or $(DEATHS),40) $(PY) -m pytest tests/integration/test_desk_on_ray.py tests/integration/test_desk_killed.py

# A quarter of an hour on two cores; ARGS="--only permits" or ARGS=--json.
mutate: $(VENV)/.installed-dev
	$(PY) tests/mutate.py $(ARGS)

# The peers live in an environment of their own: their dependencies are none of ours. ARGS="--bars 5000".
differential: $(VENV)/.installed-dev .venv-differential/.installed
	PYTHONPATH=. $(PY) tests/differential/compare.py $(ARGS)

.venv-differential/.installed: tests/differential/requirements.txt
	'$(PYTHON)' -m venv --clear .venv-differential
	.venv-differential/bin/python -m pip install --requirement tests/differential/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) .venv-differential build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last, so that an interrupted installation is simply done again. Editable, so that
# changed sources need no installation; only pyproject.toml can ask for one.
$(VENV)/.installed-run: pyproject.toml
	$(make-venv)
	$(PY) -m pip install --editable .
	@echo '$(CURDIR)' > $@

$(VENV)/.installed-dev: pyproject.toml
	$(make-venv)
	$(PY) -m pip install --editable '.[dev]'
	@echo '$(CURDIR)' | tee $(VENV)/.installed-run > $@

# A virtual environment remembers where it was made: a copied tree must not run the sources it came from.
INSTALLED_IN := $(shell cat $(VENV)/.installed-run 2>/dev/null)
ifneq ($(INSTALLED_IN),$(CURDIR))
$(VENV)/.installed-run $(VENV)/.installed-dev: FORCE
endif

define make-venv
@command -v '$(PYTHON)' >/dev/null || { echo >&2 \
    "TripleGain needs Python 3.11 to 3.14 and found no '$(PYTHON)': install one, or name it: make PYTHON=python3.12"; \
    exit 1; }
@'$(PYTHON)' -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || { echo >&2 \
    "TripleGain needs Python 3.11 to 3.14 and '$(PYTHON)' is $$('$(PYTHON)' -V 2>&1): name another: make PYTHON=python3.12"; \
    exit 1; }
@test '$(INSTALLED_IN)' = '$(CURDIR)' || '$(PYTHON)' -m venv --clear $(VENV) || { echo >&2 \
    "'$(PYTHON)' cannot make a virtual environment: on Debian, apt-get install python3-venv"; \
    exit 1; }
endef
