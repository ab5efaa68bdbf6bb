"""xtr-warp as its own documentation uses it, on one thread."""

from pathlib import Path

import numpy as np
import torch
from serving import serve, timed
from token_vectors import all_processes, read, save
from xtr_warp.search import XTRWarp

torch.set_num_threads(1)
state = {}


def build(folder, index, n_bits, num_centroids):
    documents, state["queries"] = read(folder)
    state["index"] = XTRWarp(index=index, device="cpu")
    began = all_processes()
    state["index"].create(
        embeddings_source=documents, device="cpu", nbits=n_bits, num_partitions=num_centroids, show_progress=False
    )
    seconds = all_processes() - began
    state["index"].load("cpu")
    return seconds, len(np.load(Path(index) / "centroids.npy"))


def search(k, saved, **settings):
    results, seconds = timed(
        lambda: state["index"].search(state["queries"], top_k=k, num_threads=1, show_progress=False, **settings)
    )
    save(saved, results, k)
    return seconds


serve({"build": build, "search": search})
