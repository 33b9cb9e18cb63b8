"""The commands that are disturbed: what they read, what they write, how they go on afterwards."""
import json
import os
import shutil
import subprocess


class Scenario:
    """`argv` runs in a folder of its own, with in/ beside out/; the folder `before` is copied into out/ first.
    `codes`: exit statuses that a failure may have. `resumes`: the same command, undisturbed, must
    then give the files of an undisturbed run. `drops`: it goes on without a picture that failed, names
    it and ends with 1."""

    def __init__(self, name, *argv, before=None, resumes=False, drops=False, codes=(1,)):
        self.name, self.argv, self.before = name, argv, before
        self.resumes, self.drops, self.codes = resumes, drops, codes


# What schedulers act on: 71 and 74 are worth another try (sysexits.h).
SYSEXITS = (1, 71, 73, 74, 75)


def review(run, out):
    """What a person decided about a run: an object on each image, and one more in the journal of a review that
    was not closed."""
    with open(run + "/final.json") as f:
        data = json.load(f)
    label, box = data["categories"][0], [10, 10, 40, 30]
    data["annotations"] = []
    for i, image in enumerate(data["images"], 1):
        found = [{"class": label["name"], "bbox": box, "score": 0.5}]
        image.update(review="complete", audit=True, seconds=4, machine=found)
        data["annotations"].append({"id": i, "image_id": image["id"], "category_id": label["id"], "bbox": box,
                                    "area": 1200, "iscrowd": 0, "reviewed": "drawn"})
    os.makedirs(out + "/review")
    with open(out + "/review/journal.jsonl", "w") as f:
        f.write(json.dumps({"image": data["images"][0]["file_name"], "class": label["name"], "id": 9,
                            "reviewed": "drawn", "bbox": box, "review": "partial"}) + "\n")
    with open(out + "/reviewed.json", "w") as f:
        json.dump(data, f)


def prepare(weaksam, scenes, root):
    """Writes the inputs into ROOT/in and ROOT/before; returns the scenarios."""
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root + "/in")
    os.makedirs(root + "/before")

    def run(*argv):
        made = subprocess.run(argv, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode:
            raise SystemExit(f"faults: {' '.join(argv)}: {made.stdout.decode()}")

    def w(*argv):
        run(weaksam, *argv)

    for name, family in (("sam", "sam_vit_mini"), ("clues", "weaktr_mini")):
        w("twin", family, "-o", f"in/{name}.safetensors")
        w("convert", f"in/{name}.safetensors", "-o", f"in/{name}.wsam", "--quiet")
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in ("tiny.zip.pth", "tiny.legacy.pth"):
        shutil.copy(f"{tests}/data/{name}", root + "/in")
    run(scenes, "-o", "in/set", "--count", "2", "--seed", "3", "--size", "96,64")
    images = sorted(os.listdir(root + "/in/set/images"))
    with open(root + "/in/labels.csv", "w") as f:
        f.write("image,class\n" + "".join(f"{n},class {i},class 7\n" for i, n in enumerate(images)))
    first = "in/set/images/" + images[0]
    with open(root + "/in/prompts.jsonl", "w") as f:
        f.write('{"id":"a","points":[[30,30,1]]}\n{"id":"b","box":[10,10,60,50]}\n')
    common = ("--threads", "1", "--quiet")
    sam, clue = ("-m", "in/sam.wsam"), ("-m", "in/clues.wsam", "--clue-max-side", "32")
    whole = ("run", "in/set/images", "--labels", "in/labels.csv", "-m", "in/sam.wsam",
             "--clue-model", "in/clues.wsam", "--clue-max-side", "32", "--points-per-side", "2",
             "--workers", "1") + common
    w("draw", "--size", "96,64", "-o", "in/a.png")
    w("encode", *sam, first, "-o", "in/e.safetensors")
    w("propose", *sam, "in/set/images", "--sources", "grid", "--points-per-side", "3",
      "--pred-iou-thresh", "0", "--stability-score-thresh", "0", "-o", "in/proposals.jsonl", "--quiet")
    w("train", "--stage", "features", *sam, "--images", "in/set/images", "in/proposals.jsonl", "-o",
      "in/cache", "--quiet")
    mil = ("train", "--stage", "mil", "--preset", "fast", "--hidden", "8", "--features", "in/cache",
           "--labels", "in/set/labels.csv", "--images", "in/set/images", "in/proposals.jsonl",
           "--epochs", "2") + common
    w(*mil, "-o", "in/head.wsam")
    w(*whole, "-o", "in/run")
    shutil.copytree(root + "/in/run", root + "/before/reviewed/run")
    review(root + "/in/run", root + "/before/reviewed/run")
    shutil.copytree(root + "/before/reviewed/run", root + "/in/reviewed")
    w(*whole, "-o", "before/shards", "--shard", "0/2")
    w(*whole, "-o", "before/shards", "--shard", "1/2")
    with open(root + "/in/first.csv", "w") as f:
        f.write(f"image,class\n{images[0]},class 0,class 7\n")
    learn = ("--learn", "--preset", "fast", "--epochs", "1")
    os.makedirs(root + "/before/first")
    w(*[a.replace("labels.csv", "first.csv") for a in whole], *learn, "-o", "before/first/run")
    review(root + "/before/first/run", root + "/before/first/run")
    own = ("run", "in/set/images", "-m", "in/sam.wsam", "--points-per-side", "2", "--pred-iou-thresh", "0",
           "--stability-score-thresh", "0", "--workers", "1") + common
    w(*own, "--labels", "in/labels.csv", "-o", "before/own")
    w("everything", *sam, first, "--points-per-side", "4", "--pred-iou-thresh", "0", "--stability-score-thresh", "0",
      "--box-nms-thresh", "1", "--png", "-o", "before/masks", "--quiet")
    score = ("score", "in/proposals.jsonl", "--head", "in/head.wsam", "--features", "in/cache",
             "--labels", "in/set/labels.csv", "--images", "in/set/images")
    w(*score, "-o", "in/scores.json", "--quiet")
    w("pgt", "in/scores.json", "-o", "in/pgt.json", "--quiet")
    w("export", "in/set/instances.json", "--format", "voc", "-o", "in/voc")
    w("export", "in/set/instances.json", "--format", "yolo", "-o", "before/labels")
    w("detect", "--head", "in/head.wsam", "--features", "in/cache", "in/proposals.jsonl",
      "--min-score", "0", "-o", "in/detections.json", "--quiet")
    return [
        Scenario("convert", "convert", "in/sam.safetensors", "-o", "out/m.wsam", "--quiet"),
        Scenario("convert-int8", "convert", "in/clues.safetensors", "--type", "int8", "-o",
                 "out/m.wsam", "--quiet"),
        Scenario("verify", "verify", "in/clues.wsam"),
        Scenario("inspect", "inspect", "in/clues.wsam"),
        Scenario("encode", "encode", *sam, first, "-o", "out/e.safetensors", *common),
        Scenario("segment", "segment", *sam, first, "--prompts", "in/prompts.jsonl", "-o",
                 "out/masks", *common),
        Scenario("segment-embedding", "segment", *sam, "--embedding", "in/e.safetensors", "--box",
                 "10,10,60,50", "-o", "out/masks.json", *common),
        Scenario("everything", "everything", *sam, first, "--points-per-side", "2",
                 "--pred-iou-thresh", "0", "--stability-score-thresh", "0", "-o", "out/e.json",
                 *common),
        Scenario("everything-again", "everything", *sam, first, "--points-per-side", "2", "--pred-iou-thresh", "0",
                 "--stability-score-thresh", "0", "--png", "-o", "out/masks", *common, before="before/masks",
                 resumes=True),
        Scenario("clues", "clues", *clue, "in/set/images", "--labels", "in/labels.csv", "--maps",
                 "out/maps", "-o", "out/points.jsonl", *common, drops=True),
        Scenario("propose", "propose", *sam, "in/set/images", "--points", "in/run/points.jsonl",
                 "--points-per-side", "2", "-o", "out/proposals.jsonl", *common, drops=True),
        Scenario("score", *score, "-o", "out/scores.json", "--quiet"),
        Scenario("pgt", "pgt", "in/scores.json", "-o", "out/pgt.json", "--quiet"),
        Scenario("masks", "masks", *sam, "in/detections.json", "in/set/images", "--image-ids", "in/images.json", "-o", "out/masks.json", *common,
                 drops=True),
        Scenario("features", "train", "--stage", "features", *sam, "--images", "in/set/images",
                 "in/proposals.jsonl", "-o", "out/cache", *common),
        Scenario("train", *mil, "-o", "out/head.wsam", "--state", "out/state", resumes=True),
        Scenario("detect", "detect", "--head", "in/head.wsam", *sam, "--images", "in/set/images",
                 "in/proposals.jsonl", "--min-score", "0", "-o", "out/d.json", *common),
        Scenario("eval", "eval", "--gt", "in/set/instances.json", "--dt", "in/detections.json"),
        Scenario("report", "report", "in/run/masks.json", "in/set/images", "-o", "out/r.html",
                 "--quiet"),
        Scenario("run", *whole, "-o", "out/run", resumes=True, drops=True,
                 codes=SYSEXITS),
        Scenario("run-reviewed", *whole, "-o", "out/run", before="before/reviewed/run", resumes=True, drops=True,
                 codes=SYSEXITS),
        Scenario("run-anew", *whole, "--points-per-side", "3", "--overwrite", "-o", "out/shards", before="before/shards",
                 resumes=True, drops=True, codes=SYSEXITS),
        Scenario("own", *own, "--labels", "in/labels.csv", "-o", "out/run", resumes=True, drops=True, codes=SYSEXITS),
        Scenario("own-again", *own, "--labels", "in/set/labels.csv", "-o", "out/own", before="before/own", resumes=True,
                 drops=True, codes=SYSEXITS),
        Scenario("learn", *whole, *learn, "-o", "out/run", before="before/reviewed/run", resumes=True, drops=True,
                 codes=SYSEXITS),
        Scenario("learn-grown", *whole, *learn, "-o", "out/run", before="before/first/run", resumes=True, drops=True,
                 codes=SYSEXITS),
        Scenario("learn-anew", *whole, *learn, "--epochs", "2", "-o", "out/run", before="before/first/run",
                 resumes=True, drops=True, codes=SYSEXITS),
        Scenario("plan", *whole, "-o", "in/run", "--plan", codes=SYSEXITS),
        Scenario("export", "export", "in/set/instances.json", "--format", "voc", "-o", "out/voc"),
        Scenario("export-again", "export", "in/set/instances.json", "--format", "voc", "-o", "out/labels",
                 before="before/labels", resumes=True),
        Scenario("import", "import", "in/voc", "--images", "in/set/images", "-o", "out/set.json"),
        Scenario("join", "join", "in/run/final.json", "in/set/instances.json", "-o", "out/set.json"),
        Scenario("pilot", "pilot", "in/reviewed", "-o", "out/pilot.html", "--json", "out/pilot.json"),
        Scenario("merge", "merge", "out/shards", before="before/shards", resumes=True,
                 codes=SYSEXITS),
    ]
