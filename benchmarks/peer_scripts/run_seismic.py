"""Seismic as its own documentation uses it: a batch of queries, results with document ids."""

import itertools
import time
from pathlib import Path

import numpy as np
import seismic
from serving import serve, timed

state = {}


def load(documents, queries, saved, settings):
    text = seismic.get_seismic_string()
    building = 0.0
    if not Path(f"{saved}.index.seismic").exists():
        indptr, indices, data = (np.load(f"{documents}.{part}.npy") for part in ("indptr", "indices", "data"))
        dataset = seismic.SeismicDataset(int(indices.max()) + 1)
        numbers = [str(number) for number in range(len(indptr) - 1)]
        dataset.add_documents_by_id(numbers, indices.astype(np.int64), data, indptr)
        began = time.process_time()
        seismic.SeismicIndex.build_from_dataset(dataset, num_threads=1, **settings).save(saved)
        building = time.process_time() - began
    state["index"] = seismic.SeismicIndex.load(f"{saved}.index.seismic")
    indptr, indices, data = (np.load(f"{queries}.{part}.npy") for part in ("indptr", "indices", "data"))
    bounds = list(itertools.pairwise(indptr))
    state["ids"] = np.arange(len(bounds)).astype(text)
    state["terms"] = [indices[start:stop].astype(text) for start, stop in bounds]
    state["weights"] = [data[start:stop] for start, stop in bounds]
    return building


def search(k, query_cut, heap_factor, save=None):
    results, seconds = timed(
        lambda: state["index"].batch_search(
            state["ids"], state["terms"], state["weights"], k, query_cut, heap_factor, num_threads=1
        )
    )
    if save:
        found = np.full((len(state["ids"]), k), -1)
        for hits in results:
            if hits:
                found[int(hits[0][0]), : len(hits)] = [int(doc) for _, _, doc in hits]
        np.save(save, found)
    return seconds


serve({"load": load, "search": search})
