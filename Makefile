# Commands of the repository; `make help` lists them. CI calls the same ones.
PYTHON ?= python3
PORT ?= 3000
comma := ,
# What is served is what has to be exported.
MODELS ?= $(subst $(comma), ,$(EKIBEN_MODELS))
PEERS ?=
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# The load tests' environment is their own: Locust and its like stay out of the server's.
LOAD_RUN := clients/load/.venv/bin/python
LOAD_STAMP := clients/load/.venv/.installed
export BENTOML_DO_NOT_TRACK := True

.DEFAULT_GOAL := help
.PHONY: help setup serve export test lint bench eval stress load overload bento bentocheck clientcheck lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements/all.txt
	@echo "Making $(VENV): a few minutes the first time"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ekiben needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --constraint requirements/all.txt --editable '.[export,test]'
	@touch $@

$(LOAD_STAMP): clients/load/pyproject.toml $(STAMP)
	$(RUN) -m venv clients/load/.venv
	$(LOAD_RUN) -m pip install --quiet --disable-pip-version-check --constraint requirements/all.txt \
		--editable 'clients/load[test]'
	@touch $@

setup: export ## environment, weights and exports: all but serving

export: $(STAMP) ## export the default models with proof, or MODELS="id id"
	@$(RUN) -m exporters $(MODELS)
	@$(RUN) -m services.tuning $(MODELS)

serve: export ## serve on PORT (default 3000)
	@$(RUN) -m services --port $(PORT)

test: $(STAMP) $(LOAD_STAMP) ## every test that needs no GPU
	@$(RUN) -m exporters --all
	$(RUN) -m pytest
	cd clients/python && ../../$(RUN) -m pytest
	cd clients/load && .venv/bin/python -m pytest

lint: $(STAMP) $(LOAD_STAMP) ## ruff and mypy --strict
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	cd clients/python && ../../$(RUN) -m mypy
	cd clients/load && ../../$(RUN) -m mypy --python-executable .venv/bin/python

bench: export ## the server beside the limit; PEERS=1 adds other servers
	@$(RUN) -m benchmarks $(if $(PEERS),--peers)

eval: $(STAMP) ## BLEU, chrF and word error rates beside those of the reference runtimes
	@$(RUN) -m exporters bergamot-tiny-en-pt bergamot-tiny-pt-en whisper-tiny-en moonshine-tiny-en
	@$(RUN) -m benchmarks.translation_quality
	@$(RUN) -m benchmarks.speech_quality

stress: export ## overload, and 100,000 requests: five minutes
	@$(RUN) -m benchmarks.stress

load: export $(LOAD_STAMP) ## MLPerf's scenarios over HTTP for two minutes, and a report in build/
	@mkdir -p build
	@$(RUN) -m benchmarks.with_server $(LOAD_RUN) -m ekiben_load all --url {url} --seconds 10 \
		--json build/load.json --html build/load.html

overload: export $(LOAD_STAMP) ## three times what a mix of all tasks can do, for a minute
	@mkdir -p build
	@$(RUN) -m benchmarks.with_server $(LOAD_RUN) -m ekiben_load overload --url {url} --pid {pid} --seconds 60 \
		--json build/overload.json --html build/overload.html

bento: export ## pack the service and its models into a bento
	@$(VENV)/bin/bentoml build

bentocheck: export ## serve the bento from an environment that holds its requirements and nothing else
	$(RUN) -m tests.bento_in_clean_environment

clientcheck: ## the client with the oldest and the newest Python that are here
	$(PYTHON) clients/python/tests/every_python.py

lock: $(STAMP) ## resolve the dependencies anew into requirements/
	$(RUN) -m pip install --quiet uv
	$(VENV)/bin/uv pip compile --quiet --universal --no-header --no-annotate --python-version 3.11 \
		pyproject.toml -o requirements/runtime.txt
	$(VENV)/bin/uv pip compile --quiet --universal --no-header --no-annotate --python-version 3.11 \
		--all-extras pyproject.toml -o requirements/all.txt

clean: ## remove the environment
	rm -rf $(VENV) clients/load/.venv
