"""Kill additions, deletions and compactions at random moments: ``uv run python tests/index/kills.py``.

After each kill the index is the old or the new one to the last score, and verifies; repeating what was killed gives what it
gives when nobody kills it, and leaves nothing else in the folder. In the normal tests, test_kills.py does a little of it.
"""

import argparse
import random
import shutil
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from changing import CASES, Changing, available, changes

from killing import killed, seconds_of


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=30, help="kills of each operation, for each case")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), metavar="CASE", help="cases in cases.py; all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in available(options.cases):
        with TemporaryDirectory(prefix="lir-tests-") as folder:
            told = [kill(name, change, Path(folder) / change, options.times, options.seed) for change in changes]
        print(f"{name}: {', '.join(told)}", flush=True)


def kill(name, change, folder, times, seed):
    """Kill one operation again and again."""
    moments = random.Random(f"{name} {change} {seed}")
    base = prepare(name, folder / "base")
    undisturbed = copy(name, base, folder / "undisturbed")
    whole = seconds_of(lambda: changes[change](undisturbed))
    old, new = whole_state(base), whole_state(undisturbed)
    assert old != new
    index = copy(name, base, folder / "killed")
    seen = {"before": 0, "after": 0}
    for _ in range(times):
        killed(partial(changes[change], index), moments.uniform(0, 1.2 * whole))
        index.open().verify()
        state = whole_state(index)
        assert state in (old, new), f"{name} is neither as before nor as after {change}: {state}"
        seen["before" if state == old else "after"] += 1
        if state == old and moments.random() < 0.5:
            # What was left behind stays, and is in nobody's way the next time.
            continue
        if state == old:
            changes[change](index)
        assert whole_state(index) == new, f"{change} of {name}, repeated, ends otherwise than undisturbed"
        left_over = {path.name for path in index.path.iterdir()} - {"index.json", "verified.json"}
        if state == old:
            assert left_over == {file.split("/")[0] for file in index.open().manifest.files}
        index = copy(name, base, folder / "killed")
    return f"{change} {seen['before']} times as before, {seen['after']} as after"


def prepare(name, folder):
    """An index with two segments and deleted documents, so that there is something to compact."""
    index = Changing(name, folder)
    index.build(range(100))
    index.add(range(100, 150))
    index.delete([0, 1, 120])
    return index


def whole_state(index):
    """What a reader sees, and how the index is made up, which is all that compacting changes."""
    opened = index.open()
    return index.state(opened), [entry.num_docs for entry in opened.manifest.segments], opened.info()["num_deleted"]


def copy(name, index, folder):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(index.folder, folder)
    return Changing(name, folder)


if __name__ == "__main__":
    main()
