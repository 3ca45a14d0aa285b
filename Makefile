# Commands of the repository; `make help` lists them. CI calls the same ones.
PYTHON ?= python3
PORT ?= 3000
DEMO_PORT ?= 7860
comma := ,
# What is served is what has to be exported.
MODELS ?= $(subst $(comma), ,$(EKIBEN_MODELS))
PEERS ?=
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Demos and load tests have environments of their own: Gradio holds Pillow at 12, and Locust brings a web server.
DEMOS := clients/demos
DEMOS_RUN := $(DEMOS)/.venv/bin/python
DEMOS_STAMP := $(DEMOS)/.venv/.installed
LOAD := clients/load
LOAD_RUN := $(LOAD)/.venv/bin/python
LOAD_STAMP := $(LOAD)/.venv/.installed
export BENTOML_DO_NOT_TRACK := True

.DEFAULT_GOAL := help
.PHONY: help setup serve demo export test browser lint bench eval stress load overload bento bentocheck image \
	containercheck clientcheck lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements/all.txt
	@echo "Making $(VENV): a few minutes the first time"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ekiben needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --constraint requirements/all.txt --editable '.[export,test]'
	@touch $@

setup: export ## environment, weights and exports: all but serving

export: $(STAMP) ## export the default models with proof, or MODELS="id id"
	@$(RUN) -m exporters $(MODELS)
	@$(RUN) -m services.runners.tuning $(MODELS)

serve: export ## serve on PORT (default 3000)
	@$(RUN) -m services --port $(PORT)

$(DEMOS_STAMP): $(DEMOS)/pyproject.toml $(DEMOS)/requirements.txt
	@echo "Making $(DEMOS)/.venv: a minute the first time"
	$(PYTHON) -m venv $(DEMOS)/.venv
	$(DEMOS_RUN) -m pip install --disable-pip-version-check --constraint $(DEMOS)/requirements.txt \
		--editable clients/python --editable '$(DEMOS)[test]'
	@touch $@

$(LOAD_STAMP): $(LOAD)/pyproject.toml $(STAMP)
	$(RUN) -m venv $(LOAD)/.venv
	$(LOAD_RUN) -m pip install --quiet --disable-pip-version-check --constraint requirements/all.txt \
		--editable '$(LOAD)[test]'
	@touch $@

# Whichever of the two ends first, by itself or by Ctrl-C, the other ends too.
demo: private SHELL := bash
demo: export $(DEMOS_STAMP) ## the server on PORT and demos in the browser on DEMO_PORT (default 7860)
	@trap 'kill $$(jobs -p) 2>/dev/null; wait' EXIT; trap 'exit 0' INT TERM; \
	$(RUN) -m services --port $(PORT) & \
	$(DEMOS_RUN) -m ekiben_demos --server http://localhost:$(PORT) --port $(DEMO_PORT) & \
	wait -n

browser: $(DEMOS_STAMP)
	@command -v chromium google-chrome >/dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && apt-get install -qy chromium; } \
		|| $(DEMOS_RUN) -m playwright install chromium

test: $(STAMP) $(DEMOS_STAMP) $(LOAD_STAMP) browser ## every test that needs no GPU
	@$(RUN) -m exporters --all
	$(RUN) -m pytest
	cd clients/python && ../../$(RUN) -m pytest
	cd $(LOAD) && .venv/bin/python -m pytest
	cd $(DEMOS) && .venv/bin/python -m pytest

lint: $(STAMP) $(DEMOS_STAMP) $(LOAD_STAMP) ## ruff and mypy --strict
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	cd clients/python && ../../$(RUN) -m mypy
	cd $(DEMOS) && .venv/bin/python -m mypy
	cd $(LOAD) && ../../$(RUN) -m mypy --python-executable .venv/bin/python

bench: export ## the server beside the limit; PEERS=1 adds other servers
	@$(RUN) -m benchmarks $(if $(PEERS),--peers)

eval: $(STAMP) ## BLEU, chrF and word error rates beside those of the reference runtimes
	@$(RUN) -m exporters bergamot-tiny-en-pt bergamot-tiny-pt-en whisper-tiny-en moonshine-tiny-en
	@$(RUN) -m benchmarks.translation_quality
	@$(RUN) -m benchmarks.speech_quality

stress: export ## overload, and 100,000 requests: five minutes
	@$(RUN) -m benchmarks.stress

load: export $(LOAD_STAMP) ## MLPerf's scenarios over HTTP: two minutes, and a report in build/
	@mkdir -p build
	@$(RUN) -m benchmarks.with_server $(LOAD_RUN) -m ekiben_load all --url {url} --seconds 8 \
		--bounds-per-run 3 --resolution 1.12 --search-seconds 45 --json build/load.json --html build/load.html

overload: export $(LOAD_STAMP) ## three times what a mix of all tasks can do, for a minute
	@mkdir -p build
	@$(RUN) -m benchmarks.with_server $(LOAD_RUN) -m ekiben_load overload --url {url} --pid {pid} --seconds 60 \
		--json build/overload.json --html build/overload.html

bento: export ## pack the service and its models into a bento
	@$(VENV)/bin/bentoml build

bentocheck: export ## serve the bento from an environment that holds its requirements and nothing else
	$(RUN) -m tests.bento_in_clean_environment

image: export ## the container image ekiben:cpu, or DEVICE=cuda
	@deploy/build $(or $(DEVICE),cpu)

containercheck: export ## build the CPU image, run it locked down, ask it everything, stop it
	@deploy/check

clientcheck: ## the client with the oldest and the newest Python that are here
	$(PYTHON) clients/python/tests/every_python.py

lock: $(STAMP) $(DEMOS_STAMP) ## resolve the dependencies anew into requirements/
	$(RUN) -m pip install --quiet uv
	$(VENV)/bin/uv pip compile --quiet --universal --no-header --no-annotate --python-version 3.11 \
		pyproject.toml -o requirements/runtime.txt
	$(VENV)/bin/uv pip compile --quiet --universal --no-header --no-annotate --python-version 3.11 \
		--all-extras pyproject.toml -o requirements/all.txt
	$(DEMOS_RUN) -m pip freeze --exclude-editable > $(DEMOS)/requirements.txt

clean: ## remove the environments
	rm -rf $(VENV) $(DEMOS)/.venv $(LOAD)/.venv
