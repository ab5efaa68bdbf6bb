"""What the peers with several vectors for a document have in common."""

import resource
import time
from pathlib import Path

import numpy as np
import torch


def read(folder):
    """The documents, a tensor each, and the queries in one tensor."""
    vectors, lengths, queries = (np.load(Path(folder) / f"{name}.npy") for name in ("vectors", "lengths", "queries"))
    return list(torch.from_numpy(vectors).split(lengths.tolist())), torch.from_numpy(queries)


def all_processes():
    """Seconds of the processor until now: of this process, and of those that it started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def save(path, results, k):
    """Write the documents found, -1 where there are fewer than k."""
    found = np.full((len(results), k), -1)
    for row, hits in zip(found, results, strict=True):
        row[: len(hits)] = [document for document, _ in hits]
    np.save(path, found)
