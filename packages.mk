# What the library is built with, found through pkg-config.

ifeq ($(MINIMAL),)
PKGS := libpng libjpeg libcjson libxxhash libzip
override CPPFLAGS += $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS))
endif
