# What is done by hand now and then. The tests need none of it: tests/run.sh sets up what it needs by itself.
#
#   make package                         zips for arm64 and x86_64, and a template that points at them, in target/package
#   make package PROCESSORS=x86_64       for one processor only
#   make bench                           measures and writes docs/performance.md
#   make card                            makes README's picture, docs/card.png, of a real run; wants Chromium and emoji
#                                        (Debian: chromium, fonts-noto-color-emoji)
#   make test                            all tests
#   make demo                            a recorded incident, here, without an account

PROCESSORS ?= arm64 x86_64
TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV := $(TARGET)/venv
TOOLS := $(VENV)/tools-installed

.PHONY: package bench card test demo

package: $(TOOLS)
	$(VENV)/bin/python packaging/package.py $(PROCESSORS)

bench: $(TOOLS)
	cargo build --workspace --locked
	$(VENV)/bin/python bench/run.py

card:
	cargo build --workspace --locked
	tests/run.sh python
	$(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/test_slack_cards.py -k cause-shown
	cp $(TARGET)/test-logs/cards/cause-shown.png docs/card.png

test:
	tests/run.sh

demo:
	cargo sre-agent demo

# Into the environment that the tests use, which they make when it is not there.
$(TOOLS): packaging/requirements.txt tests/requirements.txt
	tests/run.sh python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement packaging/requirements.txt
	touch $@
