#!/usr/bin/env python3
"""Lets allocations or system calls of every command fail, one after another, and looks at what
comes of it: no crash, no hang, no success with other bytes, no half-written file, the right exit
status, and a run that is started again ends as an undisturbed one.

usage: inject.py BUILD KIND [--all | --kill] [--most N] [--part I/N] [--jobs N] [--weaksam FILE]
       [SCENARIO...]

KIND is alloc, or io: open, read, write, sync, rename, remove, access (and stat) and close. --all: every call from the
N-th on fails. --kill: the command is killed there, before the call, and must go on to the files of
an undisturbed run; only for commands that do that. --most: at most so many places per scenario (and
kind), spread evenly. --part 0/3: every third of these places, from the first on. --weaksam: another
binary, built with a sanitizer: a report of it is a finding."""
import argparse
import collections
import concurrent.futures
import errno
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scenarios

KINDS = ["alloc", "open", "read", "write", "sync", "rename", "remove", "access", "close"]
ERRNOS = {"alloc": ["ENOMEM"], "open": ["EMFILE", "EIO"], "read": ["EIO", "ESTALE"],
          "write": ["ENOSPC", "EIO"], "sync": ["EIO", "ENOSPC"], "rename": ["EIO", "ESTALE"], "remove": ["EIO", "EACCES"],
          "access": ["EIO", "ESTALE"], "close": ["EIO", "ENOSPC"]}
NAMES_AT = 1024  # in preload.c's page
TEMPORARY = re.compile(r"\.tmp(\.|$)|\.raw$")  # what a kill may leave beside the files
SECONDS = 60
SANITIZED = 42  # exit status of a sanitizer's report

Outcome = collections.namedtuple("Outcome", "status output errors fired counts tree texts")


def tree_of(folder, texts=None):
    """Checksums of files by name; the JSON files themselves go to `texts`. Leases and locks may stay behind: whoever
    needs one next takes it over."""
    files = {}
    for base, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".lease", ".lock")) or name == "lease":
                continue
            path = os.path.join(base, name)
            with open(path, "rb") as f:
                content = f.read()
            short = os.path.relpath(path, folder)
            files[short] = hashlib.sha1(content).hexdigest()
            if texts is not None and name.endswith((".json", ".jsonl")):
                texts[short] = content
    return files


class Bench:
    def __init__(self, options):
        self.options = options
        self.root = os.path.abspath(options.build) + "/tests/faults-" + options.kind + (
            "-all" if options.all else "-kill" if options.kill else "")
        self.library = os.path.abspath(options.build) + "/tests/libfaults.so"
        self.weaksam = os.path.abspath(options.weaksam or options.build + "/weaksam")
        plain = os.path.abspath(options.build)
        self.scenarios = scenarios.prepare(plain + "/weaksam", plain + "/demo/scenes", self.root)

    def folder(self, scenario):
        work = tempfile.mkdtemp(dir=self.root, prefix=scenario.name + "-")
        os.symlink(self.root + "/in", work + "/in")
        os.mkdir(work + "/out")
        if scenario.before:
            shutil.rmtree(work + "/out")
            shutil.copytree(f"{self.root}/{scenario.before}", work + "/out/" + os.path.basename(scenario.before))
        return work

    def before(self, scenario):
        """Checksums of what is in out/ at first."""
        if not scenario.before:
            return {}
        name = os.path.basename(scenario.before)
        return {f"{name}/{file}": value for file, value in tree_of(f"{self.root}/{scenario.before}").items()}

    def run(self, scenario, work, fault=None):
        env = dict(os.environ, LC_ALL="C", OMP_NUM_THREADS="1", ASAN_OPTIONS=(
            f"exitcode={SANITIZED}:verify_asan_link_order=0:allocator_may_return_null=1:"
            # the leak checker's own system calls would be caught
            f"detect_leaks={int(self.options.kind == 'alloc')}"), UBSAN_OPTIONS="print_stacktrace=1",
            LSAN_OPTIONS=f"exitcode={SANITIZED}:print_suppressions=0")
        page = work + "/page"
        if fault:
            env.update(LD_PRELOAD=self.library, FAULT=fault + " " + page)
        try:
            done = subprocess.run([self.weaksam, *scenario.argv], cwd=work, env=env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE,
                                  timeout=SECONDS * (10 if self.options.weaksam else 1))
            status, output, errors = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            status, output, errors = "hang", late.stdout or b"", late.stderr or b""
        counts = [0] * (len(KINDS) + 1)
        if os.path.exists(page):
            with open(page, "rb") as f:
                content = f.read()
            if content[NAMES_AT:].rstrip(b"\0").decode().split() != KINDS:
                raise SystemExit(f"faults: {self.library} was made of another preload.c; make it again")
            counts = struct.unpack_from(f"{len(KINDS) + 1}q", content)
            os.remove(page)
        texts = {}
        return Outcome(status, output, errors.decode(errors="replace"), counts[-1], counts,
                       tree_of(work + "/out", texts), texts)

    def reference(self, scenario):
        """An undisturbed run, the names of what two such runs write differently, and its calls."""
        trees, outcomes = [], []
        for fault in (None, "alloc 0 one 0" if self.options.kind == "alloc" else "read 0 one 0"):
            work = self.folder(scenario)
            outcome = self.run(scenario, work, fault)
            if outcome.status:
                raise SystemExit(f"faults: {scenario.name}: {outcome.status}: {outcome.errors}")
            shutil.rmtree(work)
            outcomes.append(outcome)
            trees.append(outcome.tree)
        loose = {n for t in trees for n in t  # journals have times
                 if n.endswith(".journal") or any(o.get(n) != t[n] for o in trees)}
        return outcomes[0], loose, dict(zip(KINDS, outcomes[1].counts))

    def judge(self, scenario, reference, loose, kind, outcome):
        """What is wrong with an outcome, or None."""
        if outcome.status == "hang":
            return "hang"
        if outcome.status == SANITIZED or "AddressSanitizer" in outcome.errors \
                or "runtime error" in outcome.errors or "LeakSanitizer" in outcome.errors:
            frames = re.findall(r"#\d+ 0x\w+ in (\w+) ", outcome.errors)
            ours = [f for f in frames if f.startswith(("ws_", "wsam_", "cli_"))]
            what = re.search(r"(ERROR: \w+: [\w-]+|runtime error: .*|Direct leak)", outcome.errors)
            return f"sanitizer: {what.group(1) if what else '?'} in {ours[:2] or frames[:3]}"
        if self.options.kill and outcome.status == -9:
            return None
        if outcome.status < 0 or outcome.status >= 96:
            return f"crash ({outcome.status})"
        wanted = {n: h for n, h in reference.tree.items() if n not in loose}
        has = {n: h for n, h in outcome.tree.items() if n not in loose}
        if kind in ("remove", "open"):  # a folder that cannot be opened keeps its files
            has = {n: wanted[n] if self.names_more(reference.texts.get(n), outcome.texts.get(n)) else h
                   for n, h in has.items() if n in wanted or not self.is_left(n)}
        if outcome.status == 0:
            if has != wanted:
                odd = sorted(set(has.items()) ^ set(wanted.items()))[0][0]
                return f"success with another {odd}"
            if outcome.output != reference.output:
                return "success with another output"
            return None
        if not outcome.fired:
            return f"failure without a fault: {outcome.errors[:200]}"
        if outcome.status not in scenario.codes:
            return f"status {outcome.status}"
        before = self.before(scenario)
        for name, value in has.items():
            if name.endswith(".tmp") and kind not in ("rename", "remove", "close"):
                return f"leaves {re.sub(r'[0-9]+', 'N', name)}"
            if value not in (wanted.get(name), before.get(name)) and not self.is_state(name) \
                    and not (scenario.drops and self.is_whole(outcome.texts.get(name))):
                return f"half-written {name}"
        if not outcome.errors.strip():
            return "a failure without a word"
        if kind == "alloc" and not re.search(r"memory|Cannot allocate", outcome.errors):
            return "no word of memory"
        return None

    @staticmethod
    def is_whole(text):
        """JSON, or lines of JSON: a picture may be missing, nothing may be cut off."""
        if text is None:
            return False
        try:
            for part in [text] if not text.count(b"}\n{") else text.splitlines():
                json.loads(part)
        except ValueError:
            return False
        return True

    @staticmethod
    def is_state(name):
        """What a command keeps in order to go on, judged by how it goes on."""
        return "/state/" in name or name.startswith("state/") or "/.status/" in name \
            or name.endswith(".raw") or "/learn/mil/" in name or "/learn/retrain/" in name \
            or "/learn/again" in name or "/learn/fold-" in name or "/learn/maps/" in name \
            or name.endswith(("/.weaksam-export", "/clues/all"))

    @staticmethod
    def names_more(wanted, has):
        """images.json, but for its first line, which names the lists that are still there."""
        return bool(wanted and has and wanted.startswith(b'{"results":') and has.startswith(b'{"results":')
                    and wanted.split(b"\n", 1)[1:] == has.split(b"\n", 1)[1:])

    def is_left(self, name):
        """What nobody reads any more, where it cannot be removed."""
        return TEMPORARY.search(name) or self.is_state(name)

    def one(self, scenario, reference, loose, kind, number, error):
        width = "all" if self.options.all else "kill" if self.options.kill else "one"
        fault = f"{kind} {number} {width} {getattr(errno, error)}"
        work = self.folder(scenario)
        outcome = self.run(scenario, work, fault)
        if outcome.status == "hang":  # a machine that stood still does not do so twice
            shutil.rmtree(work)
            work = self.folder(scenario)
            outcome = self.run(scenario, work, fault)
        wrong = self.judge(scenario, reference, loose, kind, outcome)
        said = outcome.errors.strip().splitlines()[:1]
        if not wrong and outcome.status and scenario.resumes:
            again = self.run(scenario, work)
            if again.status:
                wrong, said = f"does not go on: {again.status}", again.errors.splitlines()[:1]
            else:
                wanted = {n: h for n, h in reference.tree.items() if n not in loose}
                odd = [n for n, h in wanted.items() if again.tree.get(n) != h] + [
                    n for n in again.tree if n not in loose and n not in wanted
                    and not (self.options.kill and TEMPORARY.search(n) or kind == "remove" and self.is_left(n))]
                if odd:
                    wrong = f"goes on to another {odd[0]}"
        shutil.rmtree(work)
        return (scenario.name, kind, number, error, wrong, said)


def places(count, most):
    """Numbers from 1 to `count`: all, or `most` of them spread evenly."""
    if not most or count <= most:
        return range(1, count + 1)
    return sorted({1 + round(i * (count - 1) / (most - 1)) for i in range(most)}) if most > 1 else [1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("kind", choices=["alloc", "io"] + KINDS[1:])
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--part", type=lambda text: tuple(map(int, text.split("/"))), default=(0, 1))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--weaksam")
    parser.add_argument("--at", type=int, help="this call alone")
    options = parser.parse_intermixed_args()
    bench = Bench(options)
    kinds = KINDS[1:] if options.kind == "io" else [options.kind]
    total, failed, refused = 0, 0, 0
    findings = collections.Counter()
    first = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for s in bench.scenarios:
            if options.scenario and s.name not in options.scenario or (
                    options.kill and not s.resumes):
                continue
            reference, loose, counts = bench.reference(s)
            work = []
            for kind in kinds:
                for error in ERRNOS[kind][:1 if options.kill else None]:
                    numbers = [options.at] if options.at else places(counts[kind], options.most)
                    part = numbers[options.part[0]::options.part[1]]
                    work += [(kind, n, error) for n in part]
            done = list(pool.map(lambda job: bench.one(s, reference, loose, *job), work))
            wrong = [d for d in done if d[4]]
            total += len(done)
            failed += len(wrong)
            for name, kind, number, error, what, said in wrong:
                key = (name, kind, what)
                findings[key] += 1
                first.setdefault(key, (number, error, said))
            calls = sum(counts[kind] for kind in kinds)
            print(f"{'not ok' if wrong else 'ok'} - {s.name}: {len(done)} faults in {calls} calls of "
                  f"{options.kind}{', from each on' if options.all else ''}"
                  f"{', killed there' if options.kill else ''}"
                  f"{f', {len(wrong)} wrong' if wrong else ''}", flush=True)
            for key in [k for k in findings if k[0] == s.name]:
                number, error, said = first[key]
                print(f"#   {findings[key]} x {key[2]}: {key[1]} {number} {error} {said}",
                      flush=True)
    print(f"# {total} faults, {failed} wrong")
    if not failed:
        shutil.rmtree(bench.root)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
