# The picture maker, and the recipe and evaluation of the demo weights.
DEMO_MAIN := $(wildcard demo/*.c)
DEMO_SRC  := $(wildcard demo/drawing/*.c demo/evaluation/*.c)
DEMO_OBJ  := $(DEMO_SRC:%.c=$(BUILD)/%.o)
DEMO_BIN  := $(DEMO_MAIN:%.c=$(BUILD)/%)
SCENES_SO := $(BUILD)/demo/libscenes.so

$(DEMO_BIN): $(BUILD)/%: $(BUILD)/%.o $(DEMO_OBJ) $(LIB_A)
	$(CC) $(WS_LDFLAGS) $(LDFLAGS) $^ $(WS_LDLIBS) $(LDLIBS) -o $@
# Release 0.1.0 had the programs here.
$(BUILD)/weights/demo/%: $(BUILD)/demo/%
	@mkdir -p $(@D)
	ln -sf ../../demo/$* $@
# For training: the same pictures without files.
$(SCENES_SO): $(DEMO_OBJ) $(LIB_A)
	$(CC) $(WS_LDFLAGS) $(LDFLAGS) -shared $^ $(WS_LDLIBS) $(LDLIBS) -o $@

OBJ += $(DEMO_OBJ) $(DEMO_MAIN:%.c=$(BUILD)/%.o)

#: review-loop  what reviewing brings, on drawn pictures with a simulated person (hours of CPU; POOL, TEST, COUNTS, SEEDS make it shorter)
.PHONY: review-loop
review-loop: all $(BUILD)/tests/person $(BUILD)/demo/scenes
	@BUILD=$(BUILD) sh demo/review_loop.sh

#: learn-seeds  what `run --learn` makes of five sets of 80 drawn images (half an hour of CPU; COUNT, SEEDS, SIDE make it shorter)
.PHONY: learn-seeds
learn-seeds: all $(BUILD)/demo/scenes
	@BUILD=$(BUILD) sh demo/learn_seeds.sh
