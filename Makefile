# Every target sets up what it needs: .venv/ is made from pyproject.toml by .ci/set_up.py and renewed when they change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# processes that run tests side by side; the quick tests wait for boards and commands for a sixth of their time
JOBS ?= 2
QUICK_JOBS ?= 3
QUICK := not slow and not emulated and not chromium and not matrix and not board

.PHONY: setup demo test test-all check bench matrix docs format constraints board-wheels clean

setup: $(STAMP)

$(STAMP): pyproject.toml .ci/set_up.py .ci/constraints.txt
	$(PYTHON) .ci/set_up.py $(VENV)
	touch $(STAMP)

demo: setup  ## from the shipped checkpoint to a report, on real images, without network
	$(BIN)/eamdeploy demo --out out/demo

test: setup  ## the quick tier
	@echo "Leaves out the slow, emulated, chromium and matrix tests; 'make test-all' runs all but the matrix."
	$(BIN)/python -m pytest -n $(QUICK_JOBS) --dist loadfile -m "$(QUICK)" $(PYTEST_OPTIONS)

test-all: setup  ## every test but the full matrix and those that need a real board
	@echo "Leaves out the full export matrix ('make matrix', nightly in CI) and tests on a real board."
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not board and not matrix" $(PYTEST_OPTIONS)

check: setup  ## lint, format, types, import contract, readability of pages and help
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/prose.py

matrix: setup  ## every network x convolution x selection x format
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m matrix

bench: setup  ## the benchmarks that need no board and no data
	$(BIN)/python -m benchmarks

docs: setup  ## docs/reference/reference.md from the command line itself, and the site in out/site
	$(BIN)/python -m eamdeploy.cli.reference docs/reference/reference.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

constraints: setup  ## renew the exact versions that the set-up installs
	$(BIN)/python .ci/constraints.py

board-wheels: setup  ## renew the hashes of the emulated board's wheels
	PYTHONPATH=. $(BIN)/python .ci/board_wheels.py

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
