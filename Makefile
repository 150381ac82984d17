# What is done by hand now and then. The tests need none of it: tests/run.sh sets up what it needs by itself.
#
#   make package                         zips for arm64 and x86_64, and a template that points at them, in target/package
#   make package PROCESSORS=x86_64       for one processor only
#   make bench                           measures and writes docs/performance.md
#   make test                            all tests
#   make demo                            a recorded incident, here, without an account

PROCESSORS ?= arm64 x86_64
VENV := target/venv
TOOLS := $(VENV)/tools-installed

.PHONY: package bench test demo

package: $(TOOLS)
	$(VENV)/bin/python packaging/package.py $(PROCESSORS)

bench: $(TOOLS)
	$(VENV)/bin/python bench/run.py

test:
	tests/run.sh

demo:
	cargo sre-agent demo

# Into the environment that the tests use, which they make when it is not there.
$(TOOLS): packaging/requirements.txt tests/requirements.txt
	tests/run.sh python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement packaging/requirements.txt
	touch $@
