# pysendmail: install it, try it, test it. `make help` lists what there is.

# What an installation can be told, NAME=VALUE behind `make install`:
# PREFIX         where it goes, /usr; below /usr and /usr/local the usual places are used for the rest, any other
#                directory holds everything: PREFIX/etc, PREFIX/var, PREFIX/run
# SYSCONFDIR, LOCALSTATEDIR, RUNDIR, UNITDIR
#                other places for the configuration, the spool, the socket, the units of systemd
# DESTDIR        a directory before all of these, for those who make packages
# PYTHON         the interpreter: /usr/bin/python3 when it is 3.11 or newer, else the first python3 of PATH
# DEPENDENCIES   a directory that holds the modules yaml and daemon: the interpreter's own, else pip is asked
# EXTRAS         what else to bring along, with commas between: proxy (python-socks), gssapi (gssapi)
# SERVICE_USER   the daemon's user: pysendmail below /usr and /usr/local, else who installs
# DIVERT         yes: move another mail system's sendmail aside
PREFIX ?= /usr
SYSCONFDIR ?=
LOCALSTATEDIR ?=
RUNDIR ?=
UNITDIR ?=
DESTDIR ?=
PYTHON ?=
DEPENDENCIES ?=
EXTRAS ?=
SERVICE_USER ?=
DIVERT ?=

# How long `make fuzz` stays with each target.
FUZZ_SECONDS ?= 600
# How many rounds `make kill` kills in, and how many states `make power-cuts` makes of one instant.
ROUNDS ?= 1000
STATES ?= 200000
# How long `make soak` lets it rain.
SOAK_SECONDS ?= 3600

VENV := .venv
RUN := $(VENV)/bin
PLACES = $(foreach name,PREFIX DESTDIR SYSCONFDIR LOCALSTATEDIR RUNDIR UNITDIR DEPENDENCIES EXTRAS \
	SERVICE_USER DIVERT,"$(name)=$($(name))")
MEASURED := message smtp spool relay
PYTEST = $(RUN)/python -m pytest
COMBINE = ls .coverage.* >/dev/null 2>&1 && $(RUN)/coverage combine --quiet --append || true

.PHONY: help install uninstall try test check unit integration clients fault power-cuts kill soak fuzz lint type cover cover-smtp bench man-lint dist clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo; sed -n '/^# What an/,/^PREFIX/s/^# //p' $(firstword $(MAKEFILE_LIST))

install: ## install; what it can be told is below
	@python=$$(etc/installer/find-python "$(PYTHON)") && "$$python" -EsB -m etc.installer.install install $(PLACES)

uninstall: ## remove what install has laid down; with the same PREFIX and DESTDIR
	@python=$$(etc/installer/find-python "$(PYTHON)") && "$$python" -EsB -m etc.installer.install uninstall $(PLACES)

try: $(VENV)/complete ## see it work, all inside this directory; SMARTHOST=... TO=... sends through a real one
	@SMARTHOST="$(SMARTHOST)" TO="$(TO)" FROM="$(FROM)" $(RUN)/python -m tests.tryout

# installations that tests make take the libraries from here, and ask neither pip nor the system
test unit integration clients fault bench: export DEPENDENCIES = \
	$(shell $(RUN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

test: $(VENV)/complete ## all tests, with the coverage that is asked for
	@rm -f .coverage .coverage.*
	$(RUN)/coverage run -m pytest tests/unit/smtp
	@$(MAKE) --no-print-directory cover-smtp
	$(RUN)/coverage run -m pytest --ignore=tests/unit/smtp
	@$(MAKE) --no-print-directory cover

check: lint type test ## what has to pass before a commit

unit: $(VENV)/complete ## the quick tests
	$(PYTEST) tests/unit

integration: $(VENV)/complete ## the tests with real programs and servers
	$(PYTEST) tests/integration

clients: $(VENV)/complete ## the tests with real programs that send mail, fetched first; as root
	tests/clients/fetch
	$(PYTEST) tests/clients

fault: $(VENV)/complete ## the tests that kill, fill up and cut off; MESSAGE_MIB=300 DROP_FILES=50000
	$(PYTEST) tests/fault

power-cuts: $(VENV)/complete ## a power cut at every instant; of which all states are tried, STATES=200000 of one at most
	$(RUN)/python -m tests.fault.power_cuts $(STATES)

kill: $(VENV)/complete ## kill sendmail and daemon in the midst, and count what is lost or doubled; ROUNDS=1000
	$(RUN)/python -m tests.fault.killing $(ROUNDS)

soak: $(VENV)/complete ## mail through all doors while smarthosts and daemon come and go; SOAK_SECONDS=3600
	$(RUN)/python -m tests.fault.soak $(SOAK_SECONDS)

fuzz: $(VENV)/complete ## ten minutes of any octets for each target of tests/fuzz/targets, led by coverage; FUZZ_SECONDS=600
	$(RUN)/python -m tests.fuzz.run $(FUZZ_SECONDS)

lint: $(VENV)/complete man-lint ## ruff, and the manual pages
	$(RUN)/ruff check .

type: $(VENV)/complete ## mypy --strict
	$(RUN)/mypy
	$(RUN)/mypy --explicit-package-bases etc/installer

cover: $(VENV)/complete ## what the last test run covered: at least 95 % of each of message, smtp, spool, relay
	@$(COMBINE)
	@status=0; for package in $(MEASURED); do \
		echo "coverage of pysendmail/$$package:"; \
		$(RUN)/coverage report --fail-under=95 --include="pysendmail/$$package/*" || status=1; \
	done; exit $$status

cover-smtp: $(VENV)/complete ## what tests/unit/smtp covered: every branch of smtp but for its connections
	@$(COMBINE)
	@echo "coverage of pysendmail/smtp by its own tests:"
	@$(RUN)/coverage report --fail-under=100 --include="pysendmail/smtp/*" --omit="pysendmail/smtp/transport/*"

bench: $(VENV)/complete ## measure beside the peers, as root; ONLY="drain storm" RUNS=10 SCALE=1.0 QUICK=1
	@$(RUN)/python -m tests.bench --runs $(or $(RUNS),10) --scale $(or $(SCALE),1.0) $(if $(QUICK),--quick) $(ONLY)

man-lint: ## mandoc -Tlint
	@if command -v mandoc >/dev/null; then mandoc -Tlint -W warning docs/man/*.[0-9]; \
	else echo "man-lint: skipped, mandoc is not installed" >&2; fi

dist: ## dist/pysendmail-VERSION.tar.gz of what is committed
	@version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' pysendmail/__init__.py) && mkdir -p dist && \
	git archive --prefix="pysendmail-$$version/" -o "dist/pysendmail-$$version.tar.gz" HEAD && \
	echo "dist/pysendmail-$$version.tar.gz"

clean: ## remove what make has made in this directory
	rm -rf $(VENV) .try .bench .clients dist build *.egg-info .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/complete: setup.cfg pyproject.toml
	@[ ! -L $(VENV) ] || { echo "$(VENV) is a link, and what it leads to is not cleared from here:" \
		"bring that up to date, then touch $@" >&2; exit 1; }
	@python=$$(etc/installer/find-python --with ensurepip "$(PYTHON)") && \
	echo "$(VENV) is made, with what the tests need from PyPI" >&2 && \
	"$$python" -m venv --clear $(VENV) && \
	$(RUN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev]' && touch $@
