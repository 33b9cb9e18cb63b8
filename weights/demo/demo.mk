# The picture maker, and the recipe and evaluation of the demo weights.
DEMO_MAIN := weights/demo/scenes.c weights/demo/evaluate.c weights/demo/evaluate_clues.c weights/demo/corrupt.c
DEMO_SRC  := $(filter-out $(DEMO_MAIN),$(wildcard weights/demo/*.c))
DEMO_OBJ  := $(DEMO_SRC:%.c=$(BUILD)/%.o)
DEMO_BIN  := $(DEMO_MAIN:%.c=$(BUILD)/%)
SCENES_SO := $(BUILD)/weights/demo/libscenes.so

$(DEMO_BIN): $(BUILD)/%: $(BUILD)/%.o $(DEMO_OBJ) $(LIB_A)
	$(CC) $(WS_LDFLAGS) $(LDFLAGS) $^ $(WS_LDLIBS) $(LDLIBS) -o $@
# For training: the same pictures without files.
$(SCENES_SO): $(DEMO_OBJ) $(LIB_A)
	$(CC) $(WS_LDFLAGS) $(LDFLAGS) -shared $^ $(WS_LDLIBS) $(LDLIBS) -o $@

OBJ += $(DEMO_OBJ) $(DEMO_MAIN:%.c=$(BUILD)/%.o)
