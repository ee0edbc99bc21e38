# Everything runs in a virtual environment in the checkout; it is made when it isn't there.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ON_AIRFLOW := tests/browser tests/dags tests/monitoring
READY  := $(VENV)/.ready

.PHONY: run test test-airflow airflow s3 week setup clean

run: $(READY)            ## the whole graph on the sample, and its report
	@$(BIN)/nightshift run

test: $(READY)           ## format, lint, types and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

airflow: $(READY)        ## Airflow on 127.0.0.1:8080 with the DAG nightly_retraining; Ctrl-C stops it
	@$(BIN)/python -m infra.airflow.up --port $(or $(PORT),8080)

test-airflow: $(READY)   ## nights on two workers, a real Airflow by REST and in a browser (chromium)
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -m slow -x $(ON_AIRFLOW)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -m slow -n 2 --dist loadfile \
	  $(ON_AIRFLOW:%=--ignore=%)

s3: $(READY)             ## an S3 server on this machine, for development
	@$(BIN)/python -m infra.s3

week: $(READY)           ## seven nights in a row, to watch: eight minutes
	@$(BIN)/python -m tests.week

setup: $(READY)          ## only the environment

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nightshift needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing $$(grep -c == requirements.lock) pinned packages into $(VENV): a minute or two"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar on -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

clean:                   ## outputs of the graph, not the cache that DVC keeps of them
	rm -rf data models reports dvc.lock .nightshift
