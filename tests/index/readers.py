"""Readers beside a writer, over every kind: ``uv run python tests/index/readers.py --minutes 5``.

A process adds, deletes and compacts as fast as it can, while another opens and searches. Whatever that one finds has to be
what one of the states that were committed gives, to the last score; an index that stays open goes on finding what it found.
In the normal tests, test_readers.py does a little of it.
"""

import argparse
import json
import os
import random
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from changing import CASES, Changing, available


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="for all cases together")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), metavar="CASE", help="cases in cases.py; all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = available(options.cases)
    for name in names:
        with TemporaryDirectory(prefix="lir-tests-") as folder:
            told = read_beside_a_writer(name, Path(folder), 60 * options.minutes / len(names), options.seed)
        print(f"{name}: {told}", flush=True)


def read_beside_a_writer(name, folder, seconds, seed):
    index, log = Changing(name, folder), folder / "states.jsonl"
    index.build(range(20))
    write_state(log, index.state())
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            change(index, log, random.Random(seed))
        finally:
            os._exit(code)
    try:
        seen, count = read(index, time.monotonic() + seconds, random.Random(seed))
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "the writer has failed"
    finally:
        # Not killed: its last commit may not be in the log yet.
        (folder / "stop").touch()
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    committed = [json.loads(line) for line in log.read_text().splitlines()]
    for state in seen:
        assert state in committed, f"{name}: a reader saw what nobody had written: {state}"
    return f"opened {count} times, {len(seen)} of {len(committed)} states seen"


def change(index, log, choices):
    """Add, delete and compact until there is a file 'stop'; note each state after it was committed."""
    held, unused = list(range(20)), list(range(20, 400))
    while not (index.folder / "stop").exists():
        what = choices.choice(["add", "add", "delete", "delete", "compact"])
        if what == "add" and len(held) < 40:
            new = [unused.pop(0) for _ in range(choices.randint(1, 5))]
            index.add(new)
            held += new
        elif what == "delete" and len(held) > 12:
            gone = choices.sample(held[3:], choices.randint(1, 4))
            index.delete(gone)
            held = [number for number in held if number not in gone]
            unused += gone
        elif what == "compact":
            index.compact()
            if 2 in held and "d002" not in index.state():
                held.remove(2)
        else:
            continue
        write_state(log, index.state())


def write_state(log, state):
    with log.open("a") as file:
        file.write(json.dumps(state) + "\n")


def read(index, end, choices):
    """Open and search until the time is over; return the states that were seen."""
    seen, count, kept = set(), 0, []
    while time.monotonic() < end:
        opened = index.open()
        count += 1
        seen.add(state := index.state(opened))
        if choices.random() < 0.1:
            opened.verify()
        # Some stay open while their files are removed.
        if len(kept) < 5:
            kept.append((opened, state))
        else:
            old, expected = kept.pop(choices.randrange(5))
            assert index.state(old) == expected, "an index that was open finds something else than before"
    return seen, count


if __name__ == "__main__":
    main()
