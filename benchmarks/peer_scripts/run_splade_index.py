"""splade-index, without its encoder: the function that its ``retrieve`` calls after encoding the queries."""

import itertools

import numpy as np
from serving import serve, timed
from splade_index.numba.retrieve_utils import _retrieve_numba_functional as retrieve

state = {}


def load(postings, queries, num_docs):
    indptr, indices, data = (np.load(f"{postings}.{part}.npy") for part in ("indptr", "indices", "data"))
    # It holds the matrix by columns, with indices of 32 bits.
    state["scores"] = {"data": data, "indices": indices, "indptr": indptr.astype(np.int32), "num_docs": num_docs}
    indptr, indices, data = (np.load(f"{queries}.{part}.npy") for part in ("indptr", "indices", "data"))
    bounds = list(itertools.pairwise(indptr))
    state["terms"] = [indices[start:stop] for start, stop in bounds]
    state["weights"] = [data[start:stop] for start, stop in bounds]


def search(k, save=None):
    (found, _), seconds = timed(
        lambda: retrieve(state["terms"], state["weights"], state["scores"], k=k, show_progress=False, n_threads=1)
    )
    if save:
        np.save(save, found)
    return seconds


serve({"load": load, "search": search})
