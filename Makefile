# crm: an e-commerce CRM inside PostgreSQL
#
#   make && make install                the conventional way, any PG_CONFIG=...
#   make installcheck                   tests against the running server
#   make demo | test | bench | fuzz     in a private, throw-away server
#   make test-all                       on every supported server
#   make dist | deb                     an archive, Debian packages
#
# The version stands once: in crm.control.

EXTENSION    = crm
EXTVERSION  := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" crm.control)

# One concept, one room: src/NAME.c (and its src/NAME_*.c), src/NAME.sql (and
# its src/NAME_*.sql), sql/NAME.sql.  The order is that of the install script.
CONCEPTS     = purchases contact rfm ltv journey session attribution markov shapley channel stage track clock store status
SQL_FILES    = src/crm.sql $(foreach c,$(CONCEPTS),src/$(c).sql $(sort $(wildcard src/$(c)_*.sql)))

# make demo DATA=file.csv: a file of the user's; to PGXS, DATA is what to install
DEMO_FILE   := $(if $(filter command\ line,$(origin DATA)),$(DATA))
override DATA = $(wildcard crm--*--*.sql)

MODULE_big   = crm
OBJS         = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
SCRIPT       = $(EXTENSION)--$(EXTVERSION).sql
DATA_built   = $(SCRIPT)
PGFILEDESC   = "crm - e-commerce CRM inside PostgreSQL"

REGRESS      = init $(CONCEPTS) $(patsubst sql/%.sql,%,$(sort $(wildcard sql/store_*.sql))) security seeds members
REGRESS_OPTS = --inputdir=. --encoding=UTF8 --no-locale
ISOLATION    = $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec))
ISOLATION_OPTS = --inputdir=test --load-extension=crm
TAP_TESTS    = $(if $(wildcard test/t/*.pl),1,)
PROVE_TESTS  = test/t/*.pl
EXTRA_CLEAN  = $(SCRIPT) results tmp_check output_iso

PG_CFLAGS    = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
PG_CPPFLAGS  = -DCRM_VERSION='"$(EXTVERSION)"'
ifneq ($(findstring clang,$(CC)),)
# the server was built by gcc: some of its flags and attributes clang has not
PG_CFLAGS   += -Wno-ignored-optimization-argument -Wno-ignored-attributes -Wno-unknown-warning-option
endif
ifneq ($(WERROR),)
PG_CFLAGS   += -Werror
endif

# The newest server whose headers are here, unless told.
PG_CONFIG   ?= $(or $(lastword $(sort $(wildcard /usr/lib/postgresql/*/lib/pgxs/../../bin/pg_config))),pg_config)
PGXS        := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

.DEFAULT_GOAL := all

ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
all install installcheck:
	@echo "crm needs PostgreSQL's server headers (Debian: apt-get install postgresql-server-dev-all), or PG_CONFIG=/path/to/pg_config" >&2; exit 1
endif

$(OBJS): $(wildcard src/*.h)
src/status.o: crm.control

# An install script that broke off must not be taken for a whole one.
.DELETE_ON_ERROR:

$(SCRIPT): crm.control Makefile $(SQL_FILES)
	@{ printf '%s\n' '-- crm $(EXTVERSION): generated from src/*.sql' \
	     '\echo Use "CREATE EXTENSION crm" to load this file. \quit'; \
	   cat $(SQL_FILES); } > $@

# Everything below runs in a private server in a temporary folder.
.PHONY: demo test test-all bench fuzz dist deb

# The file comes by standard input: the server's user may not be allowed to read it.
demo: export DEMO_NAME = $(DEMO_FILE)
demo:
	@test/prepare
	@echo "Building crm and starting a private server ..."
	@$(if $(DEMO_FILE),test/cluster seeds/demo - "$$DEMO_NAME" <"$$DEMO_NAME",test/cluster seeds/demo)

test:
	@test/prepare
	@WERROR=$(WERROR) test/run $(PARTS)

# on every supported server, in chroots; see test/versions
test-all:
	@test/versions $(VERSIONS)

bench:
	@test/prepare
	@test/cluster test/bench/run $(BENCH)

fuzz:
	@test/prepare
	@test/fuzz/run $(FUZZ_SECONDS)

# What is committed: the archive that PGXN wants, and Debian packages, one for
# each server whose development files are here.
dist:
	@mkdir -p dist
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ -o dist/$(EXTENSION)-$(EXTVERSION).zip HEAD

deb: export MAKEFLAGS =
deb:
	@rm -rf dist/deb && mkdir -p dist/deb/source
	git archive HEAD | tar -xf - -C dist/deb/source
	cd dist/deb/source && pg_buildext updatecontrol && dpkg-buildpackage -b -us -uc
	@rm -rf dist/deb/source
	@ls dist/deb/*.deb

# for test/suite
print-%:
	@echo $($*)
