#!/usr/bin/env python3
"""Breaks the rules of voting one by one, and sees whether the tests notice.

    crates/sim/mutants/run.py             all mutants
    crates/sim/mutants/run.py --fast      those that `.ci/run` tries
    crates/sim/mutants/run.py no-lock     these

A mutant of `mutants.txt` is a change of one place in a copy of the sources, and the tests that must
fail with it. It ends with 1 if a mutant survives that should not, or dies that should not, and with
2 if one does not fit the sources any more or does not build. The working tree is not touched.
"""

import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
COPY = TARGET / "mutants"
# A mutant that makes the tests hang is dead.
PATIENCE_S = 1_800


class Mutant:
    """One change: `file`, the lines `old` and `new`, the tests that must fail, and whether it is
    fast or expected to survive."""

    def __init__(self, name):
        self.name, self.file, self.tests = name, None, []
        self.old, self.new = [], []
        self.fast, self.survives = False, None


def read_table():
    mutants = []
    for number, line in enumerate((HERE / "mutants.txt").read_text().splitlines(), 1):
        word, _, rest = line.partition(" ")
        if word in ("-", "+"):
            (mutants[-1].old if word == "-" else mutants[-1].new).append(rest)
        elif word == "mutant":
            mutants.append(Mutant(rest))
        elif word == "file":
            mutants[-1].file = rest
        elif word == "test":
            mutants[-1].tests.append(rest.split())
        elif word == "fast":
            mutants[-1].fast = True
        elif word == "survives":
            mutants[-1].survives = rest
        elif line and word != "#":
            sys.exit(f"mutants.txt:{number}: {word!r} means nothing")
    return mutants


def sources():
    """Names of all files but those of git and of builds."""
    for directory, below, files in os.walk(ROOT):
        below[:] = [name for name in below if name not in (".git", "target", "node_modules")]
        for file in files:
            path = pathlib.Path(directory, file)
            if TARGET not in path.parents:
                yield str(path.relative_to(ROOT))


def copy_sources():
    """What a build needs. Only what differs is written, so that cargo builds what has changed, and
    sees by its time what an interrupted run has left."""
    names = {name for name in sources() if (ROOT / name).is_file()}
    for old in [path for path in COPY.rglob("*") if path.is_file()]:
        if str(old.relative_to(COPY)) not in names:
            old.unlink()
    for name in names:
        source, copy = (ROOT / name).read_bytes(), COPY / name
        if not copy.is_file() or copy.read_bytes() != source:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source)


def cargo(*arguments):
    environment = dict(os.environ, CARGO_TARGET_DIR=str(TARGET), RUST_BACKTRACE="0")
    command = ["cargo", "test", "--quiet", "--locked", *arguments]
    try:
        done = subprocess.run(
            command, cwd=COPY, env=environment, timeout=PATIENCE_S, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        return None, "it hangs"
    return done.returncode, done.stdout + done.stderr


def passes(crate, tests):
    """Whether the tests of a crate pass; a crate that does not build ends everything."""
    target = ["--lib"] if crate == "storage" else ["--test", "it"]
    package = ["-p", f"ccoin-{crate}", *target]
    code, said = cargo(*package, "--no-run")
    if code != 0:
        return None, said
    code, said = cargo(*package, "--", *tests)
    failed = [line for line in said.splitlines() if line.endswith("FAILED") or "panicked" in line]
    return code == 0, failed[0] if failed else said.strip().splitlines()[-1:]


def judge(mutant):
    """None if all is as expected, else the exit code."""
    begun = time.monotonic()
    path = COPY / mutant.file
    source = path.read_text()
    old, new = "\n".join(mutant.old), "\n".join(mutant.new)
    if source.count(old) != 1:
        print(f"ERROR    {mutant.name}: its lines are {source.count(old)} times in {mutant.file}")
        return 2
    path.write_text(source.replace(old, new))
    try:
        for crate, *tests in mutant.tests:
            green, said = passes(crate, tests)
            if green is None:
                print(f"ERROR    {mutant.name}: does not build\n{said}")
                return 2
            if not green:
                break
    finally:
        path.write_text(source)
    seconds = f"{time.monotonic() - begun:.0f} s"
    if green and mutant.survives:
        print(f"survives {mutant.name} ({seconds}), as expected: {mutant.survives}", flush=True)
    elif green:
        print(f"SURVIVES {mutant.name} ({seconds})", flush=True)
        return 1
    elif mutant.survives:
        print(f"DIES     {mutant.name} ({seconds}), which was expected to survive: {said}", flush=True)
        return 1
    else:
        print(f"dies     {mutant.name} ({seconds}): {said}", flush=True)
    return None


def main(arguments):
    mutants = read_table()
    wanted = [mutant for mutant in mutants if mutant.name in arguments]
    if arguments == ["--fast"]:
        wanted = [mutant for mutant in mutants if mutant.fast]
    elif len(wanted) != len(arguments):
        sys.exit("no such mutant; there are: " + ", ".join(mutant.name for mutant in mutants))
    copy_sources()
    chosen = wanted or mutants
    for crate, *tests in sorted({tuple(test) for mutant in chosen for test in mutant.tests}):
        green, said = passes(crate, tests)
        if not green:
            sys.exit(f"without a mutant the tests {tests} of ccoin-{crate} fail: {said}")
    codes = [judge(mutant) for mutant in chosen]
    wrong = [code for code in codes if code]
    print(f"{len(codes)} mutants, {len(wrong)} not as expected")
    return max(wrong, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
