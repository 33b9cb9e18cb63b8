# The kernel checker: a plain program, so that it also runs under an emulator.
CHECK_SRC := tests/checkkernels.c $(wildcard tests/check_*.c) bench/peak.c $(wildcard bench/$(ARCH)/peak_*.c)
CHECK_OBJ := $(CHECK_SRC:%.c=$(BUILD)/%.o)

$(BUILD)/checkkernels: $(CHECK_OBJ) $(BUILD)/libweaksam.a
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) $(LDLIBS) -o $@

-include $(CHECK_OBJ:.o=.d)
