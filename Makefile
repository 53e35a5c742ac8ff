# Every target sets up what it needs: .venv/ is made from pyproject.toml and renewed when that changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test check bench matrix docs format clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "eamdeploy needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	# one layer of timm is compared with; its dependency torchvision is not wanted
	$(BIN)/python -m pip install --quiet --no-deps 'timm>=1.0,<2'
	touch $(STAMP)

demo: setup  ## from the shipped checkpoint to a report, on real images, without network
	$(BIN)/eamdeploy demo --out out/demo

test: setup  ## everything but the full export matrix
	$(BIN)/python -m pytest -m "not matrix and not board"

check: setup  ## lint, format, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

matrix: setup  ## every network x convolution x selection x format
	$(BIN)/python -m pytest -m matrix

bench: setup  ## the benchmarks that need no board and no data
	$(BIN)/python -m benchmarks

docs: setup  ## docs/reference.md from the command line itself
	$(BIN)/python -m eamdeploy.cli.reference docs/reference.md

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
