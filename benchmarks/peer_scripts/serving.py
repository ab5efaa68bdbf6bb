"""The other end of ``benchmarks.peers``: a line of JSON asks, a line of JSON answers."""

import json
import os
import sys
import time


def serve(actions):
    """Answer requests until there are no more; what a library prints goes to stderr.

    Args:
        actions: A function for each action.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(actions[request.pop("action")](**request)) + "\n")
        answers.flush()


def timed(work):
    """Do the work; return what it returns, and the seconds that it took: of the processor, and by the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, (time.process_time() - cpu, time.perf_counter() - wall)
