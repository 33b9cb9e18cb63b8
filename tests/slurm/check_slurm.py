"""make check-slurm: a run of drawn images through the scripts of deploy/slurm on a real Slurm, with faults.

    check_slurm.py WEAKSAM SCENES FAULTS.so [--rounds N] [--seed S] [--images N] [--shards N] [--no-learning]

First a run that learns (learn.sh: classes that no network knows, and heads) goes through its chain of jobs,
each of which is requeued while it works; its files must be those of one machine. Then come the rounds: each submits the run with deploy/slurm/submit.sh to four nodes and disturbs it at moments drawn from
the seed: a job of higher priority preempts a task (SIGTERM, GraceTime, requeue), a node dies with all of
its processes, a task takes more memory than it asked for (killed by the scheduler's own accounting,
OverMemoryKill: no cgroups are needed), one node's disk is full (write fails with ENOSPC there, as over a
quota), and tasks are requeued by hand. Then the final files must be those of a plain run, byte for byte, and no
image may have been finished twice. Exit status 77: Slurm cannot be started here, the reason is printed."""
import argparse
import collections
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster import GRACE, NODES, Unavailable, make_cluster

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LEARNT = ("clues/clues.wsam", "learn/mil.wsam", "learn/pgt.json", "learn/head.wsam", "learn/detections.json", "learn/masks.json")
LEARNING_IMAGES = 40
FILES = ("points.jsonl", "proposals.jsonl", "scores.json", "images.json", "pgt.json", "masks.json", "failures.jsonl", "final.json")
LEASE = 6


class Failure(Exception):
    pass


def expect(good, message):
    if not good:
        raise Failure(message)


class Check:
    def __init__(self, o):
        self.o = o
        self.top = os.path.abspath(o.folder)
        shutil.rmtree(self.top, ignore_errors=True)
        os.makedirs(self.top)
        self.dead, self.acted = None, collections.Counter()
        self.weaksam, self.faults = f"{self.top}/weaksam", os.path.abspath(o.faults)
        shutil.copy(o.weaksam, self.weaksam)  # a build beside this must not change it
        self.args = [f"{self.top}/set/images", "--labels", f"{self.top}/set/labels.csv", "-m", f"{ROOT}/weights/demo/segmenter.wsam",
                     "--clue-model", f"{ROOT}/weights/demo/clues.wsam", "--points-per-side", "2", "--clue-max-side", "32",
                     "--no-mirror", "--threads", "1"]

    def draw(self):
        subprocess.run([os.path.abspath(self.o.scenes), "-o", f"{self.top}/set", "--count", str(self.o.images), "--seed", "7", "--size",
                        "96,72"], check=True, stdout=subprocess.DEVNULL)
        start = time.monotonic()
        p = subprocess.run([self.weaksam, "run", *self.args, "-o", f"{self.top}/plain", "--quiet"], stdout=subprocess.DEVNULL)
        expect(p.returncode in (0, 1), f"the plain run ends with {p.returncode}")
        print(f"# {self.o.images} images; the plain run took {time.monotonic() - start:.0f} s", flush=True)

    # ---- learning ----

    def learn(self, c, seed):
        """learn.sh with classes of one's own and heads: images from a list, all four jobs requeued at work."""
        rng = random.Random(seed)
        with open(f"{self.top}/set/list.txt", "w") as f:
            f.writelines(f"images/{name}\n" for name in sorted(os.listdir(f"{self.top}/set/images"))[:LEARNING_IMAGES])
        args = [f"{self.top}/set/list.txt", "--labels", f"{self.top}/set/labels.csv", "--skip-missing", "-m",
                f"{ROOT}/weights/demo/segmenter.wsam", "--points-per-side", "4", "--threads", "1", "--learn", "--preset", "fast",
                "--epochs", "4"]
        whole, out, check = f"{self.top}/learnt", f"{self.top}/out", f"{self.top}/round"
        p = subprocess.run([self.weaksam, "run", *args, "-o", whole, "--quiet"], stdout=subprocess.DEVNULL)
        expect(p.returncode in (0, 1), f"the plain run that learns ends with {p.returncode}")
        self.clear(out, check)
        start = time.monotonic()
        jobs = self.submit(c, out, check, "learn.sh", args)
        expect(len(jobs) == 4, f"learn.sh prints {jobs}")
        requeued = [self.requeue_at_work(c, job, rng) for job in jobs]
        self.wait_until_done(c, 600)
        self.compare(whole, out, FILES + LEARNT, check)
        print(f"ok - learning in a chain of jobs, {sum(requeued)} of 4 requeued at work: the bytes of one machine, in "
              f"{time.monotonic() - start:.0f} s", flush=True)

    def requeue_at_work(self, c, job, rng, seconds=300):
        """One task of the job once it runs; False: it ended before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and c.call("squeue", "-h", "-j", job, "-o", "%i"):
            tasks = c.call("squeue", "-h", "-t", "R", "-j", job, "-o", "%i").split()
            if tasks:
                time.sleep(rng.uniform(0.3, 1.0))
                return not c.call("scontrol", "requeue", rng.choice(tasks))
            time.sleep(0.1)
        return False

    # ---- a round ----

    def clear(self, out, check):
        for folder in (out, check):
            shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(check)
        self.dead = None

    def submit(self, c, out, check, script="submit.sh", args=None):
        """The numbers of the jobs."""
        env = dict(c.env, WEAKSAM=HERE + "/node.sh", CHECK=check, CHECK_WEAKSAM=self.weaksam, CHECK_FAULTS=self.faults, WEAKSAM_MEM="500",
                   SBATCH_OPTIONS=f"--cpus-per-task=1 -o {check}/task-%a.log -e {check}/task-%a.log -p low",
                   MERGE_OPTIONS=f"--cpus-per-task=1 --mem=1000M -o {check}/merge.log -e {check}/merge.log -p high")
        p = subprocess.run([f"{ROOT}/deploy/slurm/{script}", str(self.o.shards), *(args or self.args), "-o", out, "--lease-seconds",
                            str(LEASE), "--grace", "5"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        expect(p.returncode == 0, f"{script}: {p.stdout}")
        return p.stdout.split()

    def running(self, c):
        """Tasks of the array that run: (job, node)."""
        lines = c.call("squeue", "-h", "-t", "R", "-p", "low", "-o", "%i %N").splitlines()
        return [tuple(line.split()) for line in lines if len(line.split()) == 2]

    def journal_bytes(self, out):
        folder = f"{out}/state"
        if not os.path.isdir(folder):
            return 0
        return sum(os.path.getsize(f"{folder}/{n}") for n in os.listdir(folder) if n.endswith(".journal"))

    def when_busy(self, c, out, seconds=60):
        """Until tasks run and images are being done."""
        end = time.monotonic() + seconds
        before = self.journal_bytes(out)
        while time.monotonic() < end:
            tasks = self.running(c)
            if tasks and self.journal_bytes(out) > before:
                return tasks
            if not c.call("squeue", "-h", "-o", "%i"):
                break
            time.sleep(0.2)
        return []

    def disturb(self, c, out, check, rng, did):
        """The faults that come from outside, in an order and at moments of the seed."""
        kinds = ["preempt", "node", "requeue"]
        rng.shuffle(kinds)
        for kind in kinds:
            time.sleep(rng.uniform(0.2, 2.0))
            tasks = self.when_busy(c, out)
            if not tasks:
                continue
            job, node = rng.choice(tasks)
            did[kind] += 1
            if kind == "preempt":
                high = c.call("sbatch", "--parsable", "-p", "high", "-w", node, "-n1", "-c1", "--mem=100M", "-o", "/dev/null", "--wrap", "sleep 2")
                did["preempted"] = (job, node, high)
            elif kind == "requeue":
                c.call("scontrol", "requeue", job)
            else:
                c.kill_node(node)
                # back before the controller misses it, or after (SlurmdTimeout)
                self.dead = (node, time.monotonic() + rng.choice((rng.uniform(9, 12), rng.uniform(40, 50))))

    def wait_until_done(self, c, seconds):
        end = time.monotonic() + seconds
        while c.call("squeue", "-h", "-o", "%i %T"):
            if self.dead and time.monotonic() > self.dead[1]:
                c.start_node(self.dead[0])
                self.dead = None
            expect(time.monotonic() < end, "the jobs do not end: " + c.call("squeue"))
            time.sleep(0.5)
        if self.dead:
            c.start_node(self.dead[0])
            self.dead = None

    def round(self, c, seed):
        rng = random.Random(seed)
        out, check = f"{self.top}/out", f"{self.top}/round"
        self.clear(out, check)
        did = collections.Counter()
        self.memory = self.killed_for_memory(c)
        full = rng.choice(NODES)
        with open(f"{check}/full-{full}", "w") as f:
            f.write(str(rng.randint(30, 120)))
        open(f"{check}/hog-{rng.randrange(self.o.shards)}", "w").close()
        start = time.monotonic()
        self.submit(c, out, check)
        self.disturb(c, out, check, rng, did)
        self.wait_until_done(c, 900)
        self.verify(c, out, check, did)
        print(f"ok - seed {seed}: {self.events} in {time.monotonic() - start:.0f} s", flush=True)

    # ---- what must hold ----

    def compare(self, plain, out, names, check):
        for name in names:
            a, b = f"{plain}/{name}", f"{out}/{name}"
            expect(os.path.exists(b), f"{name} is not there: " + tail(f"{check}/merge.log"))
            with open(a, "rb") as f, open(b, "rb") as g:
                expect(f.read() == g.read(), f"{name} differs")

    def verify(self, c, out, check, did):
        self.compare(f"{self.top}/plain", out, FILES, check)
        again = self.records_again(out)
        expect(again == 0, f"{again} images were finished twice")
        with open(f"{check}/events") as f:
            events = [line.split() for line in f]
        ended = collections.Counter(e[6] for e in events if e[0] == "end" and e[2] != "merge")
        begun = sum(e[0] == "begin" and e[2] != "merge" for e in events)
        lost = begun - sum(ended.values())
        expect(os.path.exists(f"{check}/hogged"), "no task took too much memory")
        # What another fault overtook did not act: the count of all rounds is looked at in the end.
        memory = self.killed_for_memory(c) - self.memory
        expect(did["node"] == 0 or lost > 0, "no task died with its node")
        did["preempt"] = min(did["preempt"], sum(e[0] == "term" for e in events))  # the task may have ended before
        self.acted.update(killed=lost, killed_for_memory=memory, stopped=ended.get("75", 0), without_disk=ended.get("74", 0), preempted=did["preempt"],
                          nodes_dead=did["node"], requeued=did["requeue"])
        self.events = (f"{begun} starts of {self.o.shards} tasks, {lost} killed, {memory} of them for memory, {ended.get('75', 0)} stopped, "
                       f"{ended.get('74', 0)} without disk, {did['preempt']} preempted, {did['node']} nodes dead, {did['requeue']} requeued")

    def killed_for_memory(self, c):
        """Steps of all rounds so far."""
        steps = set()
        for node in NODES:
            with open(f"{c.top}/log/{node}", errors="replace") as f:
                steps.update(re.findall(r"StepId=(\S+) exceeded memory limit", f.read()))
        return len(steps)

    def records_again(self, out):
        """Records of all journals whose key was there before: an image that was finished twice."""
        keys = collections.Counter()
        for name in os.listdir(f"{out}/state"):
            if not name.endswith(".journal"):
                continue
            with open(f"{out}/state/{name}", "rb") as f:
                data = f.read()
            at = 0
            while at + 32 <= len(data):
                magic, _, size, _, key = struct.unpack_from("<IIQQQ", data, at)
                if magic != 0x324A5357 or at + 32 + size > len(data):
                    break  # what a killed task left half written
                keys[key] += 1
                at += 32 + size
        return sum(n - 1 for n in keys.values())


def check_grace(c):
    """GraceTime acts under PreemptMode=REQUEUE: SIGTERM at once, the end GraceTime later."""
    log = f"{c.top}/grace.log"
    script = f"{c.top}/grace.sh"
    with open(script, "w") as f:
        f.write("#!/bin/bash\ntrap 'echo term $(date +%s.%N)' TERM\necho begin $(date +%s.%N)\n"
                "while :; do echo alive $(date +%s.%N); sleep 0.25; done\n")
    c.call("sbatch", "-p", "low", "-w", "n1", "-n1", "-c1", "--mem=100M", "--requeue", "-o", log, "--wrap", f"srun bash {script}", check=True)
    end = time.monotonic() + 30
    while time.monotonic() < end and not (os.path.exists(log) and "alive" in open(log).read()):
        time.sleep(0.2)
    high = c.call("sbatch", "--parsable", "-p", "high", "-w", "n1", "-n1", "-c1", "--mem=100M", "-o", "/dev/null", "--wrap", "true", check=True)
    end = time.monotonic() + 90
    while time.monotonic() < end and c.call("squeue", "-h", "-j", high, "-o", "%i"):
        time.sleep(0.5)
    text = open(log).read().split("\n")
    low = c.call("squeue", "-h", "-p", "low", "-o", "%i")
    if low:
        c.call("scancel", low)
    # the last line may be half written
    terms, alive = ([float(line.split()[1]) for line in text if line.startswith(word) and len(line.split()) == 2] for word in ("term", "alive"))
    expect(terms, "preemption sends no SIGTERM to the step")
    lived = max(alive) - terms[0]
    expect(lived >= GRACE - 1, f"the step was killed {lived:.1f} s after SIGTERM, GraceTime is {GRACE} s")
    print(f"ok - GraceTime={GRACE} acts under PreemptMode=REQUEUE: the step lived {lived:.0f} s after SIGTERM", flush=True)


def tail(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()[-600:]
    except OSError:
        return "(no log)"


def attempt(check, cluster, what, seed):
    """1: it holds. What failed stays in a folder, with its logs and results."""
    try:
        what(cluster, seed)
        return 1
    except Failure as e:
        print(f"not ok - {what.__name__}, seed {seed}: {e}", flush=True)
    cluster.call("scancel", "-u", "root")
    check.wait_until_done(cluster, 200)
    for folder in ("round", "out"):
        shutil.copytree(f"{check.top}/{folder}", f"{check.top}/failed-{what.__name__}-{seed}/{folder}", dirs_exist_ok=True)
    return 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("weaksam")
    p.add_argument("scenes")
    p.add_argument("faults")
    p.add_argument("--rounds", type=int, default=20)
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--images", type=int, default=200)
    p.add_argument("--shards", type=int, default=8)
    p.add_argument("--no-learning", action="store_true")
    p.add_argument("--port", type=int, default=27200)
    p.add_argument("--folder", default="build/tests/slurm")
    o = p.parse_args()
    seed = o.seed if o.seed is not None else random.SystemRandom().randrange(1 << 30)
    try:
        cluster = make_cluster(os.path.abspath(o.folder) + "-cluster", o.port)
    except Unavailable as e:
        print(f"skipped: Slurm cannot be started here: {e}")
        return 77
    good, learnt = 0, True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the cluster must not stay behind
    try:
        check = Check(o)
        check.draw()
        print(f"# rounds from seed {seed}; --seed {seed} --rounds {o.rounds} repeats them", flush=True)
        check_grace(cluster)
        if not o.no_learning:
            learnt = attempt(check, cluster, check.learn, seed)
        for i in range(o.rounds):
            good += attempt(check, cluster, check.round, seed + i)
    finally:
        cluster.stop()
    for name, n in check.acted.items():
        if not n and o.rounds >= 5:  # one round may miss a task that ends early
            good = 0
            print(f"not ok - in {o.rounds} rounds: 0 {name.replace('_', ' ')}")
    print("# in all rounds: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in check.acted.items()))
    print(f"{good} of {o.rounds} rounds: the final files of a plain run")
    return 0 if learnt and good == o.rounds else 1


if __name__ == "__main__":
    sys.exit(main())
