# Everything a newcomer or CI needs; only make and a Python must be there: the newest of these that runs.
PYTHONS := 3.13 3.12 3.11
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for version in $(PYTHONS) 3.14; do \
    if python$$version -c "import venv, ensurepip" 2>/dev/null; then echo python$$version; break; fi; done)
endif
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_VENV := .venv-demo
DEMO_READY := $(DEMO_VENV)/.ready
DURATION ?= 60
# Tests start hundreds of processes: whatever the shell says, each module is compiled once.
export PYTHONDONTWRITEBYTECODE :=
# One more than a small machine has processors: tests wait for one another's servers, too.
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest --durations=20 --durations-min=1 --quiet

.PHONY: help demo try install cluster cluster-test test test-fast test-unit test-beside test-alone test-pythons test-other lint docs components faults load bench lock clean

help:
	@echo "make demo       scan a sample event on this machine, and leave its skymap in demo/"
	@echo "make try        the whole service on this machine, with that event scanned, until Ctrl-C"
	@echo "make install    the command skydriver, in $(DEMO_VENV)"
	@echo "make test       everything that this machine can test"
	@echo "make test-fast  lint, types, import contracts and unit tests"
	@echo "make test-pythons  the same on each Python of 3.11 to 3.13 that is here"
	@echo "make test-other  unit tests on one more of them than make test takes"
	@echo "make docs       write the pages and the OpenAPI document anew that are made from the code"
	@echo "make cluster    all of it on a real Kubernetes node with Knative, until Ctrl-C (needs root)"
	@echo "make cluster-test  what a cluster does to the service over its life (needs root)"
	@echo "make faults     break things at random for DURATION seconds, and check that nothing is lost (SEED=)"
	@echo "make load       thousands of scans without faults: none waits for long, nothing grows"
	@echo "make bench      measure how fast it is beside what it could be (tests/bench/README.md)"
	@echo "make lock       write the lock files anew from pyproject.toml"

# $(1) is the environment's folder, $(2) the Python, $(3) the lock file.
define INSTALL
	@if [ -z "$(2)" ]; then \
	    echo "make: there is no Python 3.11, 3.12, 3.13 or 3.14 with venv and ensurepip here. Ways to one: the" \
	        "system's package (Debian, Ubuntu: apt install python3-venv; Fedora: dnf install python3.13), pyenv" \
	        "install 3.13, uv python install 3.13, or conda create python=3.13. A Python that is elsewhere:" \
	        "make PYTHON=/path/to/python3.13" >&2; \
	    exit 1; \
	fi
	@echo "make: $(1) by $(2) ($$($(2) -V)), with $(3)"
	@$(2) -m venv --clear $(1)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(3)
endef

$(READY): requirements-dev.lock pyproject.toml
	$(call INSTALL,$(VENV),$(PYTHON),requirements-dev.lock)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# What the demo needs, no more. The project itself runs from here: nothing is built.
$(DEMO_READY): requirements-demo.lock
	$(call INSTALL,$(DEMO_VENV),$(PYTHON),requirements-demo.lock)
	@touch $@

demo: $(DEMO_READY)
	PYTHONPATH=shared:. $(DEMO_VENV)/bin/python -m skydriver.cli.main demo --out demo

# The same, kept running: its dashboard shows a scan to look at.
try: $(DEMO_READY)
	PYTHONPATH=shared:. $(DEMO_VENV)/bin/python -m skydriver.cli.main up --example --data build/try

# The command, for this machine's service or for one elsewhere.
install: $(DEMO_READY)
	@$(DEMO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@echo "make: now source $(DEMO_VENV)/bin/activate"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test-fast: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 --keep-going lint test-unit

# Minutes each: upgrades, restarts and losses with scans in flight (tests/system/cluster/README.md).
cluster-test: $(READY)
	$(PYTEST) -s tests/system/cluster/scenarios.py

# The node lives in namespaces of its own, and ends with this process.
cluster: $(READY)
	$(BIN)/python -m tests.cluster

test-unit: $(READY)
	$(PYTEST) -n 2 tests/unit

# Lint and types beside the tests that can run beside others, then the others; all of it, whatever fails on the way.
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

# Pages that are made from the code; tests hold them against it.
docs: $(READY)
	$(BIN)/python -m tests.support.command_line_page
	$(BIN)/python -m tests.support.settings_page
	$(BIN)/python -m tests.support.openapi_document

# Lint, types and unit tests on each Python that is here, one after the other.
test-pythons:
	@status=0; for version in $(PYTHONS); do \
	    if python$$version -c "import venv, ensurepip" 2>/dev/null; then \
	        $(MAKE) --no-print-directory test-fast PYTHON=python$$version VENV=.venv-$$version || status=1; \
	    else echo "make: no Python $$version here"; fi; \
	done; exit $$status

# Unit tests on one Python that is here and is not that of $(VENV): the newest.
test-other: $(READY)
	@own=$$($(BIN)/python -c "import sys; print('%d.%d' % sys.version_info[:2])"); \
	for version in $(PYTHONS); do \
	    if [ $$version != $$own ] && python$$version -c "import venv, ensurepip" 2>/dev/null; then \
	        exec $(MAKE) --no-print-directory test-unit PYTHON=python$$version VENV=.venv-$$version; \
	    fi; \
	done; \
	echo "make: of $(PYTHONS) there is only Python $$own here" >&2; exit 1

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
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --custom-compile-command "make lock" --extra local --extra skymap \
	    --constraint requirements-dev.lock pyproject.toml -o requirements-demo.lock

clean:
	rm -rf $(VENV) $(DEMO_VENV) $(addprefix .venv-,$(PYTHONS)) demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
