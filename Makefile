# Needs Python 3.11+, git and make; everything else is installed into .venv.
SHELL  := /bin/bash
PYTHON ?= python3
REV ?= HEAD
STARTED := $(shell date +%s)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src
unexport PYTHONDONTWRITEBYTECODE # without bytecode files every stage would compile torch anew

# most tests wait for subprocesses, which start on one core; tests/conftest.py orders them
TESTS := pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: repro study studies summary report compare test lint check format readme bench faults clean-cache lock
.DEFAULT_GOAL := repro

repro: .venv/run.stamp            ## install, validate the params, run the default study
	python stages/check.py --params params.yaml
	dvc repro
	@python stages/headline.py --params params.yaml --started $(STARTED)

study: .venv/run.stamp            ## another study: make study STUDY=mnist
	@test -f "studies/$(STUDY)/dvc.yaml" || { echo "error: STUDY = '$(STUDY)': no such study; one of: $(notdir $(wildcard studies/*))"; exit 1; }
	python stages/check.py --params studies/$(STUDY)/params.yaml
	dvc repro studies/$(STUDY)/dvc.yaml
	@python stages/headline.py --params studies/$(STUDY)/params.yaml --started $(STARTED)

studies:                          ## every study runs the root's pipeline: copy it to each
	for folder in studies/*/; do cp dvc.yaml $$folder; done

summary: .venv/run.stamp          ## the claims over all studies, from their committed tables: nothing is trained
	dvc repro --single-item summary/dvc.yaml:claims summary/dvc.yaml:report

report: .venv/run.stamp           ## every study's claims, figures and report from committed tables, and stamped copies of the reports
	for study in dvc.yaml studies/*/dvc.yaml; do \
		if [ -f $$(dirname $$study)/dvc.lock ]; then dvc repro --single-item $$study:claims $$study:figures $$study:report || exit 1; fi; \
	done
	$(MAKE) summary
	python stages/stamp.py

compare: .venv/run.stamp          ## do my numbers agree with the committed ones within their intervals? make compare REV=my-branch STUDY=mnist
	@python stages/compare.py --rev "$(REV)" --study "$(STUDY)" $(if $(ALL),--all)

test: .venv/browser.stamp         ## every test, the ones that drive real DVC included
	$(TESTS) -m "slow or not slow"

lint: .venv/test.stamp            ## format, lint, types
	ruff format --check .
	ruff check .
	mypy

check: lint                       ## lint and fast tests
	$(TESTS) -m "not slow"

format: .venv/test.stamp
	ruff format .
	ruff check --fix .

readme: .venv/run.stamp           ## fill the tables of README.md and docs/
	python stages/readme.py

bench: .venv/bench.stamp          ## our code against other libraries, into benchmarks/results.json and docs/speed.md
	OMP_WAIT_POLICY=PASSIVE python benchmarks/run.py
	OMP_WAIT_POLICY=PASSIVE python benchmarks/costs.py
	python stages/readme.py

faults: .venv/test.stamp            ## the fault campaign: wrong params, bad files, kills, full disks, into benchmarks/faults.csv and docs/trust.md
	PYTHONPATH=src:tests unshare --map-root-user --mount python tests/faults/run.py  # small disks of its own
	python stages/readme.py

clean-cache:                      ## remove unfinished trainings, and the kept nets and outcomes of sets; finished results stay
	rm -rf .ckpt

lock: .venv/uv.stamp              ## refresh the pinned requirements
	uv pip compile --quiet --universal --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --no-header --no-annotate --python-version 3.11 --extra test -c requirements.txt \
		pyproject.toml -o tests/requirements.txt

.venv/uv.stamp:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "advlaw needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	touch $@

.venv/run.stamp: requirements.txt | .venv/uv.stamp
	uv pip install --quiet --python .venv/bin/python -r requirements.txt
	touch $@

.venv/test.stamp: requirements.txt tests/requirements.txt | .venv/uv.stamp
	uv pip install --quiet --python .venv/bin/python -r tests/requirements.txt
	touch $@ .venv/run.stamp

.venv/browser.stamp: tests/browser.py .venv/test.stamp # tried once; a missing browser is reported, and its tests are skipped
	python tests/browser.py
	touch $@

.venv/bench.stamp: benchmarks/requirements.txt .venv/test.stamp # torchattacks asks for a requests that dvc cannot use
	uv pip install --quiet --no-deps --python .venv/bin/python -r benchmarks/requirements.txt
	touch $@
