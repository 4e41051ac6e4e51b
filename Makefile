# Everything a newcomer or CI needs; only Python 3.11 and make must be there.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DURATION ?= 60
# Tests start hundreds of processes: whatever the shell says, each module is compiled once.
export PYTHONDONTWRITEBYTECODE :=
# One more than a small machine has processors: tests wait for one another's servers, too.
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest --durations=20 --durations-min=1 --quiet

.PHONY: help demo test test-fast test-unit test-beside test-alone lint components faults load bench lock clean

help:
	@echo "make demo       scan a sample event on this machine, and leave its skymap in demo/"
	@echo "make test       everything that this machine can test"
	@echo "make test-fast  lint, types, import contracts and unit tests"
	@echo "make faults     break things at random for DURATION seconds, and check that nothing is lost (SEED=)"
	@echo "make load       thousands of scans without faults: nobody waits for long, nothing grows"
	@echo "make bench      measure how fast it is beside what it could be (tests/bench/README.md)"
	@echo "make lock       write the lock files anew from pyproject.toml"

$(READY): requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)
	$(BIN)/skydriver demo --out demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test-fast: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 --keep-going lint test-unit

test-unit: $(READY)
	$(PYTEST) -n 2 tests/unit

# Lint and types beside the tests that bear company, then the others; all of it, whatever fails on the way.
test: $(READY)
	@status=0; \
	$(MAKE) --no-print-directory --jobs=2 --keep-going lint test-beside || status=1; \
	$(MAKE) --no-print-directory test-alone || status=1; \
	exit $$status

test-beside: $(READY)
	$(PYTEST) -n $(WORKERS) -m "not serial" tests

test-alone: $(READY)
	$(PYTEST) -m serial tests

# Functions are killed, events lost, the database restarted: prints the seed, and a table of what was checked.
faults: $(READY)
	$(BIN)/python -m tests.faults --seconds $(DURATION) $(if $(SEED),--seed $(SEED))

# Thousands of scans in the backlog, hundreds at work, alerts in between: for a quarter of an hour.
load: $(READY)
	$(BIN)/python -m tests.faults.load

# Nothing fails here: the table, its plot and tests/bench/figures.json are written anew.
bench: $(READY)
	$(BIN)/python -m tests.bench $(ROWS)

# Real components that no wheel brings. MongoDB and the S3 API come with the lock file.
components: $(READY)
	$(BIN)/python -m tests.components.build

lock:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --custom-compile-command "make lock" --extra skymap --constraint requirements.lock \
	    pyproject.toml -o requirements-skymap.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --custom-compile-command "make lock" --all-extras --constraint requirements-skymap.lock \
	    pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
