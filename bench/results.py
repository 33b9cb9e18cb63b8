"""Builds bench/RESULTS.md and its charts from the stored rows: bench/rows/*.jsonl (measured) and
bench/baselines/published.jsonl.

usage: bench/results.py WEAKSAM

Of rows that differ in their repetition alone the fastest one counts, for everyone alike: what else a machine does only ever
makes it slower. Tables of several devices come from `weaksam bench compare`."""
import glob
import json
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
weaksam = os.path.abspath(sys.argv[1])
os.chdir(os.path.dirname(here))
MODELS = ["sam_vit_b", "mobile_sam", "efficient_sam_ti", "efficient_sam_s", "sam_vit_h", "sam_vit_l"]
NAMES = {"faster_rcnn_r50_fpn": "Faster R-CNN R50-FPN", "sam_vit_b": "SAM ViT-B", "sam_vit_l": "SAM ViT-L", "sam_vit_h": "SAM ViT-H", "mobile_sam": "MobileSAM",
         "efficient_sam_ti": "EfficientSAM-Ti", "efficient_sam_s": "EfficientSAM-S", "sam_vit": "shipped, 448 x 448"}
PRICES = "bench/baselines/prices.tsv"
TEXT = {"model", "type", "timed region", "scenario", "device", "runtime", "level", "source", "notes", "read"}  # columns to the left


def load(paths):
    return [json.loads(line) for path in sorted(paths) for line in open(path) if line.strip()]


def key(r):
    return tuple(r.get(k) for k in ("device", "runtime", "model", "type", "resolution", "prompts", "scenario", "batch",
                                    "timed_region", "level", "threads", "processes", "sessions")) + (variant(r),)


def variant(r):
    """ONNX Runtime and OpenVINO run more than one int8 file."""
    return next((v for v in ("dynamic", "qdq") if f".{v}.onnx" in (r.get("source") or "")), "")


def best(rows):
    found = {}
    for r in rows:
        k = key(r)
        if k not in found or rate(r) > rate(found[k]):
            found[k] = r
    return list(found.values())


def rate(r):
    return 1e3 / r["p50_ms"] if r.get("p50_ms") and r["scenario"] == "SingleStream" else r["images_per_s"]


def pick(rows, **wanted):
    return [r for r in rows if all(r.get(k) == v for k, v in wanted.items())]


def ms(r):
    return f"{r['p50_ms']:.0f}" if r["p50_ms"] >= 100 else f"{r['p50_ms']:.1f}"


def mib(r):
    return f"{r['peak_rss_bytes'] / 2**20:.0f}" if r.get("peak_rss_bytes") else "-"


def share(r):
    return f"{r['percent_of_peak']:.0f} %" if r.get("percent_of_peak") else "-"


def table(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + "|".join("---" if name in TEXT else "---:" for name in head) + "|"]
    return "\n".join(out + ["| " + " | ".join(line) + " |" for line in lines]) + "\n"


def fastest(rows):
    return min(rows, key=lambda r: r["p50_ms"]) if rows else None


def peers_table(rows):
    """Ours, each peer's best file, the ratio to the best of them."""
    lines = []
    for model in MODELS:
        for kind, types in (("f32", ("f32",)), ("int8", ("int8", "bf16"))):
            here_rows = pick(rows, model=model, timed_region="encoder", scenario="SingleStream")
            ours = fastest(pick(here_rows, runtime="weaksam", type=kind))
            peers = {p: fastest([r for r in here_rows if r["runtime"] == p and r["type"] in types])
                     for p in ("onnxruntime", "openvino", "pytorch")}
            known = [r for r in peers.values() if r]
            if not ours or not known:
                continue
            fast, times = fastest(known), lambda r: f"{r['peak_rss_bytes'] / ours['peak_rss_bytes']:.0f}" if r else "-"
            cell = lambda r: f"{ms(r)}{' ' + r['type'] if r['type'] != kind else ''}{' ' + variant(r) if variant(r) else ''}" if r else "-"
            lines.append([NAMES[model], kind, ms(ours), share(ours), cell(peers["onnxruntime"]),
                          cell(peers["openvino"]), f"{fast['p50_ms'] / ours['p50_ms']:.2f}", mib(ours),
                          f"{mib(peers['onnxruntime']) if peers['onnxruntime'] else '-'}, "
                          f"{mib(peers['openvino']) if peers['openvino'] else '-'}",
                          f"{times(peers['onnxruntime'])}, {times(peers['openvino'])}"])
    return lines and table(["model", "type", "weaksam, ms", "of peak", "ONNX Runtime", "OpenVINO", "best peer / ours", "MiB",
                            "theirs", "theirs / ours"], lines)


def decoder_table(rows):
    """Ours of each type, every peer's of the same precision, and for int8 the fastest of any."""
    lines = []
    for model in MODELS:
        decoders = pick(rows, model=model, timed_region="decoder", scenario="SingleStream")
        for prompts, kind in sorted({(r["prompts"], r["type"]) for r in decoders if r["runtime"] == "weaksam"}):
            one = lambda p, *types: fastest([r for r in pick(decoders, runtime=p, prompts=prompts) if r["type"] in types])
            ours = one("weaksam", kind)
            peers = [one("onnxruntime", "f32"), one("openvino", "f32"), one("openvino", "bf16") if kind != "f32" else None]
            known = [r for r in peers if r]
            each = lambda r: f"{r['p50_ms'] / prompts:.2f}" if r else "-"
            lines.append([NAMES[model], kind, str(prompts), each(ours), *map(each, peers),
                          f"{fastest(known)['p50_ms'] / ours['p50_ms']:.1f}" if known else "-", mib(ours),
                          ", ".join(map(mib, known)) or "-"])
    return lines and table(["model", "type", "prompts in one call", "weaksam, ms each", "ONNX Runtime f32", "OpenVINO f32",
                            "OpenVINO bf16", "best peer / ours", "MiB", "theirs"], lines)


def detector_table(rows):
    """Detectors from the decoded image to boxes, beside the fastest peer of any type that is no more exact."""
    found, lines = pick(rows, timed_region="detector"), []
    for kind, types in (("f32", ("f32",)), ("int8", ("int8", "bf16"))):
        ours = fastest(pick(found, runtime="weaksam", type=kind))
        peers = {p: fastest([r for r in found if r["runtime"] == p and r["type"] in types])
                 for p in ("onnxruntime", "openvino", "torch")}
        known = [r for r in peers.values() if r]
        if ours and known:
            cell = lambda r: f"{ms(r)} {r['type']}, {mib(r)} MiB" if r else "-"
            fast = fastest(known)
            lines.append([kind, ms(ours), mib(ours), *(cell(peers[p]) for p in ("onnxruntime", "openvino", "torch")),
                          f"{fast['p50_ms'] / ours['p50_ms']:.2f}", f"{ours['peak_rss_bytes'] / fast['peak_rss_bytes']:.2f}"])
    return lines and table(["type", "weaksam, ms", "MiB", "ONNX Runtime", "OpenVINO", "torchvision", "fastest peer / ours",
                            "ours / its memory"], lines)


def own_table(rows):
    lines = []
    order = {"encoder": 0, "encode": 1, "encode+prompts": 2, "decoder": 3, "everything": 4, "detector": 5}
    ours = [r for r in rows if r["runtime"] == "weaksam"]
    for r in sorted(ours, key=lambda r: (MODELS.index(r["model"]) if r["model"] in MODELS else 9, r["model"], r["type"],
                                         order.get(r["timed_region"], 6), r["prompts"], r["scenario"] != "SingleStream")):
        number = lambda k, digits=1: f"{r[k]:.{digits}f}" if r.get(k) is not None else "-"
        lines.append([NAMES.get(r["model"], r["model"]), r["type"], r["timed_region"], str(r["prompts"]), r["scenario"],
                      f"{r['processes']} x {r['sessions']} x {r['threads']}",
                      f"{r['images_per_s']:.{3 if r['images_per_s'] < 1000 else 4}g}", number("p50_ms"),
                      number("p90_ms"), number("worst_ms"), number("interval_percent"), number("percent_of_peak", 0), mib(r),
                      str(r["runs"])])
    return table(["model", "type", "timed region", "prompts", "scenario", "P x S x T", "images/s", "p50 ms", "p90 ms",
                  "worst ms", "interval %", "% of peak", "MiB", "runs"], lines)


def compare(rows, *options, output=None):
    path = os.path.join(here, ".rows.jsonl")
    with open(path, "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    try:
        command = [weaksam, "bench", "compare", path, "--price", PRICES, *options] + (["-o", output] if output else [])
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    finally:
        os.remove(path)


def whole_machines(rows):
    """Without rows of a part of a machine's cores, which the scaling charts show."""
    cores = lambda r: (r.get("threads") or 0) * (r.get("processes") or 1) * (r.get("sessions") or 1)
    most = {}
    for r in rows:
        most[r["device"]] = max(cores(r), most.get(r["device"], 0))
    return [r for r in rows if cores(r) == most[r["device"]]]


def beside(rows, title, name, across=(), **wanted):
    """A comparison with a chart, of the models that a CPU of ours has rows for: device by device, the fastest first. Of a peer
    the level says which of its files ran."""
    chosen = [{**r, "level": variant(r) if r["runtime"] in ("onnxruntime", "openvino") else r["level"]} for r in whole_machines(rows)
              if r["model"] in MODELS and all(r.get(k) in v for k, v in wanted.items())]
    have = {r["model"] for r in chosen if r["runtime"] == "weaksam"}
    chosen = sorted((r for r in chosen if r["model"] in have),
                    key=lambda r: (MODELS.index(r["model"]), r["kind"] == "published",
                                   r["device"] if r["kind"] != "published" else "", -rate(r)))
    if not chosen:
        return ""
    options = ["--across", ",".join(across)] if across else []
    compare(chosen, *options, "--format", "svg", output=f"bench/charts/{name}.svg")
    text = compare(chosen, *options).replace("### ", "#### ")
    for model in MODELS:
        text = text.replace(f"#### {model}\n", f"#### {NAMES[model]}\n")
    return f"### {title}\n\n![{title}](charts/{name}.svg)\n\n{text}\n"


def scaling(rows):
    """Charts of the encoders of a device that were measured with parts of its cores."""
    out = ""
    for model, kind in sorted({(r["model"], r["type"]) for r in rows if r.get("sessions", 1) > 1 or r.get("processes", 1) > 1}):
        chosen = pick(rows, runtime="weaksam", model=model, type=kind, timed_region="encoder")
        if len({(r["processes"], r["sessions"], r["threads"]) for r in chosen}) > 2:
            name = "".join(c if c.isalnum() else "_" for c in f"scaling_{model}_{kind}_{chosen[0]['device']}".lower())
            compare(chosen, "--format", "scaling", output=f"bench/charts/{name}.svg")
            out += f"\n![Scaling of {NAMES[model]} in {kind}](charts/{name}.svg)\n"
    return out


measured = best(load(glob.glob("bench/rows/*.jsonl")))
published = load(["bench/baselines/published.jsonl"])
os.makedirs("bench/charts", exist_ok=True)
for old in glob.glob("bench/charts/*.svg"):
    os.remove(old)
out = ["# Results\n\nBuilt by `make results` from `bench/rows/` (measured by the commands named there) and `bench/baselines/` "
       "(published by others). Kernels and training have a page of their own, [KERNELS.md](KERNELS.md).\n"]
out.append("""
## Protocol

Timed regions: *encoder*: prepared tensor to embedding; *encode*: decoded image to embedding, resizing and normalising included;
*encode+prompts*: decoded image to full-size masks of the prompts, three each; *decoder*: embedding and prompts to logits, what is made
of the embedding once included; *everything*: decoded image, 32 x 32 clicks, 3072 masks enlarged, scored, boxed, thinned by NMS,
run-length encoded, every mask passing the filters; *detector*: decoded image to boxes, resizing and NMS included; *run*: image files
to pseudo labels and masks. Opening models, planning, compiling and the first run are never in the time. SingleStream: one image after
another with all threads; Offline: one image per core. Batch: images in one call. P x S x T: processes, sessions in each, threads of each.
Images are the drawing of 640 x 480 that `weaksam bench` makes, unless the command names others.
Weights are stand-ins derived from tensor names (`weaksam twin`), equal for all runtimes on a machine: speed does not depend on
values. Runtimes take turns in one run; of several rounds the fastest counts, for everyone. p50 is a call that occurred: of two the
faster one. It takes 10 runs for a p90, 100 for a p99, 6 for the 95 % interval of the median. Under *All of our rows* images/s counts every
call; where devices are compared, SingleStream's follows from p50, as a single call that other work held up would halve the rate of two. The
runs of *run* are images.

Rows are made by `bench/peers/prepare.sh MODELS FAMILY...` and `bench/peers/side_by_side.sh FAMILY f32|int8|decoder MODELS` (encoder
and decoder, all runtimes), `bench/peers/detectors.sh MODELS` (Faster R-CNN), and `weaksam bench -m MODELS/FAMILY.TYPE.wsam --json` (the
rest); the lists of commands below have each one's arguments.
""")
for device in sorted({r["device"] for r in measured}):
    rows = pick(measured, device=device)
    versions = sorted({r["versions"] for r in rows if r.get("versions")})
    clocks = [r["clock_hz"] for r in rows if r.get("clock_hz")]
    peaks = [r["peak_gops"] for r in rows if r.get("peak_gops")]
    dates = sorted({r["date"] for r in rows})
    out.append(f"\n## Measured: {device}\n\n{'; '.join(versions)}. Level {', '.join(sorted({r['level'] for r in pick(rows, runtime='weaksam')}))}."
               + (f" Clock {max(clocks) * 1e-9:.2f} GHz, f32 register loop {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s." if clocks else "")
               + f" {' to '.join(dates[:1] + dates[1:][-1:])}.\n")
    for title, text in (("Encoder, 1024 x 1024, beside the peers", peers_table(rows)), ("Decoder", decoder_table(rows)),
                        ("Faster R-CNN R50-FPN, 800 x 1333, decoded image to boxes", detector_table(rows)),
                        ("All of our rows", own_table(rows))):
        if text:
            out.append(f"\n### {title}\n\n{text}")
    charts = scaling(rows)
    if charts:
        out.append(f"\n### Threads, sessions, processes\n{charts}")
    commands = sorted({r["source"] for r in rows if r.get("source")})
    out.append("\n### Commands\n\n```\n" + "\n".join(commands) + "\n```\n")
both = measured + published
out.append("\n## Beside accelerators\n\nGrey points and rows marked *published* are what others printed, by their protocol as far as "
           "they state it; nobody here ran them. Prices: [baselines/prices.tsv](baselines/prices.tsv).\n\n")
out.append(beside(both, "Image and one prompt", "one_prompt", timed_region=["encode+prompts"], prompts=[1],
                  scenario=["SingleStream"]))
out.append(beside(both, "Encoder alone", "encoder", timed_region=["encoder"], scenario=["SingleStream"], batch=[1]))
out.append(beside(both, "Everything", "everything", timed_region=["everything"], scenario=["SingleStream"], prompts=[1024]))
out.append(beside(both, "Throughput and cost of image and prompts: scenario, batch and prompts differ", "throughput",
                  across=("scenario", "batch", "prompts"), timed_region=["encode+prompts"]))
out.append("### All published rows\n\n" + table(
    ["device", "model", "runtime", "type", "level", "resolution", "prompts", "timed region", "scenario", "batch", "images/s", "source", "notes",
     "read"],
    [[r["device"], NAMES[r["model"]], r["runtime"] or "-", r["type"], r["level"] or "-", str(r["resolution"]), str(r["prompts"]),
      r["timed_region"], r["scenario"], str(r["batch"]), f"{rate(r):.3g}", r["source"], r["notes"] or "-", r["date"]]
     for r in published]))
out.append("""
## Caveats

- The machines were shared: the register loop, which is the same code in every row, varies as widely as each section's head says, and
  the interval of a median is often wider than the 3 % at which `weaksam bench` stops on an idle machine. Runtimes alternate, so that
  ratios suffer less than times do. A share of the peak refers to the loops of its own run: where these were held up it is too high.
- A virtual machine with two cores says little about a server with many: memory bandwidth and clocks are shared there. `--scaling`
  shows what a machine of yours does.
- Published figures differ in what they time. Where a page does not state its type the row says so; where it states no batch or
  synchronisation, the row has the likeliest reading. Treat a factor below two as none.
- No accelerator was at hand: `bench/baselines/torch_row.py` makes rows on one, and was run on a CPU alone.
- Prices move by the week and from seller to seller, and the CPUs' is that of an older machine: put your own into
  [baselines/prices.tsv](baselines/prices.tsv). A row of two cores costs what two cores of its machine cost.
- int8 of ONNX Runtime is its dynamic quantization, or our file with measured ranges (`qdq`), whichever is faster; of OpenVINO the
  latter. Accuracy of the quantized files is not compared here. All use as many threads as there are cores.
- Ratios below 2 in int8, below 8 of the decoder: where a machine has bf16 products the best peer is OpenVINO in bf16, and what takes
  most of our time is bf16, too. Where it goes and what was tried: [KERNELS.md](KERNELS.md), *Beside the peers on Zen 5*. The decoder's
  rows of the Xeon leave out what is made of the embedding once, and OpenVINO's bf16.
- Memory of ViT-B in int8 is a 32nd of ONNX Runtime's and a seventh of OpenVINO's in bf16, a twentieth of which (70 MiB) is less than
  the encoder's int8 weights (81 MiB).
- *shipped* is the segmenter in `weights/demo/`, with its clue network in *run*, on twelve images of `demo/scenes`. Other rows of *run*
  are of stand-ins on images of `weaksam draw`.
- What many machines do with a folder is simulated from such rows and held against 1, 2 and 4 processes:
  [docs/many-machines.md](../docs/many-machines.md), `weaksam bench scale`.
- The detector in int8: half of its time is int8 products at nine tenths of the peak, with a quarter to 4/9 of the multiplications of 3x3, a quarter
  what lies between maps and bytes; tried and left out: [KERNELS.md](KERNELS.md), *A detector on Zen 5*. Round by round the ratio is 1.95 to 2.14. In
  f32 a third of the peers' memory is missed: weights and two maps alone are nine tenths of it.
- bf16 on a machine without bf16 products runs in f32.
""")
with open("bench/RESULTS.md", "w") as f:
    f.write("".join(out))
