# The packages that weaksam uses: found through pkg-config, named as Debian names them.

# Installs those of $(1) that this machine does not have, saying so. Where there is no apt the names
# are printed and the build goes on: it names what it misses itself.
define fetch
@missing=; for p in $(1); do \
  dpkg-query -W -f='$${db:Status-Abbrev}' $$p 2>/dev/null | grep -q '^ii' || missing="$$missing $$p"; \
done; \
test -n "$$missing" || exit 0; \
if ! command -v apt-get >/dev/null; then \
  echo "weaksam: no apt-get here; these Debian packages, or their equals, are needed:$$missing"; exit 0; \
fi; \
as_root=; if [ "$$(id -u)" != 0 ]; then as_root=sudo; fi; \
if [ -n "$$as_root" ] && ! command -v sudo >/dev/null; then \
  echo "weaksam: not root and no sudo; please run as root: apt-get install$$missing" >&2; exit 1; \
fi; \
echo "weaksam: fetching$$missing (apt-get$${as_root:+ through sudo})"; \
$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update && \
$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null
endef

DEB_BUILD := gcc libc6-dev pkg-config libpng-dev libjpeg-dev libcjson-dev libyajl-dev libexpat1-dev libmicrohttpd-dev libwebp-dev libtiff-dev libxxhash-dev
DEB_TEST  := $(DEB_BUILD) g++ libcriterion-dev libdnnl-dev
DEB_FAULTS := $(DEB_TEST) python3
DEB_BENCH := $(DEB_BUILD) g++ libbenchmark-dev libdnnl-dev
DEB_LINT  := $(DEB_TEST) clang clang-format clang-tidy libomp-dev
DEB_FUZZ  := $(DEB_BUILD) clang libclang-rt-dev
DEB_ARM   := $(DEB_BUILD) gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user

PKG_CONFIG ?= $(CROSS)pkg-config
PKGS       := libpng libjpeg libwebp libtiff-4 libcjson yajl expat libmicrohttpd
DEB_libpng    := libpng-dev
DEB_libjpeg   := libjpeg-dev
DEB_libwebp   := libwebp-dev
DEB_libtiff-4 := libtiff-dev
DEB_libcjson  := libcjson-dev
DEB_yajl      := libyajl-dev
DEB_expat     := libexpat1-dev
DEB_libmicrohttpd := libmicrohttpd-dev

ifeq ($(MINIMAL),)
ABSENT := $(shell $(PKG_CONFIG) --version >/dev/null 2>&1 || echo pkg-config; \
  for p in $(PKGS); do $(PKG_CONFIG) --exists $$p 2>/dev/null || echo $$p; done)
# A cross compiler rarely has the libraries of its target: kernels and runtime need none.
ifneq ($(and $(CROSS),$(ABSENT)),)
MINIMAL := 1
endif
endif

ifeq ($(MINIMAL),)
PKG_CFLAGS := $(if $(ABSENT),,$(shell $(PKG_CONFIG) --cflags $(PKGS)))
PKG_LIBS   := $(if $(ABSENT),,$(shell $(PKG_CONFIG) --libs $(PKGS)))
else
ABSENT :=
endif

# xxHash is used as a header alone, so that every target can have it: a compiler that does not look
# into /usr/include (musl, cross) is given a copy.
hash := \#
has_header = $(shell echo '$(hash)include <$(1)>' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)
ifneq ($(call has_header,xxhash.h),yes)
ifneq ($(wildcard /usr/include/xxhash.h),)
SYS_HEADERS := $(BUILD)/sys/xxhash.h
PKG_CFLAGS += -isystem $(BUILD)/sys
else
ABSENT += xxhash.h
endif
endif
DEB_xxhash.h := libxxhash-dev

# oneDNN: for x86 alone, and only where it links (a cross compiler may see this machine's header). Its
# threads are OpenMP's, and their number is set through OpenMP: without it there is no such backend.
has_library = $(shell echo 'int main(void) { return 0; }' | $(CC) -x c - -l$(1) -o /dev/null 2>/dev/null && echo yes)
WANT_ONEDNN := $(if $(MINIMAL)$(filter-out x86,$(ARCH)),,$(filter auto 1,$(ONEDNN)))
ifneq ($(OPENMP),1)
ifeq ($(WANT_ONEDNN),1)
$(error ONEDNN=1 needs OpenMP: leave OPENMP=$(OPENMP) out)
endif
WANT_ONEDNN :=
endif
ifneq ($(WANT_ONEDNN),)
ifeq ($(call has_header,dnnl.h)$(call has_library,dnnl),yesyes)
PKG_CFLAGS += -DWS_HAVE_ONEDNN=1
PKG_LIBS += -ldnnl
ONEDNN_FOUND := 1
else ifeq ($(ONEDNN),1)
ABSENT += dnnl.h
endif
endif
DEB_dnnl.h := libdnnl-dev

.PHONY: packages deps deps-musl deps-valgrind
packages:
	@$(if $(shell command -v $(CC)),:,echo "weaksam: no compiler '$(CC)' (Debian package $(or $(DEB_$(CC)),$(CC)))" >&2; exit 1)
	@$(foreach p,$(ABSENT),echo "weaksam: $(p) is missing (Debian package $(or $(DEB_$(p)),$(p)))" >&2;) \
	  $(if $(ABSENT),echo "weaksam: 'make deps' fetches them; 'make MINIMAL=1' needs xxhash.h alone" >&2; exit 1)
DEB_aarch64-linux-gnu-gcc := gcc-aarch64-linux-gnu
DEB_musl-gcc := musl-tools

$(BUILD)/sys/xxhash.h: /usr/include/xxhash.h
	@mkdir -p $(@D)
	cp $< $@

#: deps       fetch the packages that building and testing need (apt)
deps:
	$(call fetch,$(DEB_TEST))
deps-musl:
	$(call fetch,$(DEB_BUILD) musl-tools)
deps-valgrind:
	$(call fetch,valgrind libc6-dbg)
