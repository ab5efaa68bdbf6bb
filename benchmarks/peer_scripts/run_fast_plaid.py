"""fast-plaid as its own documentation uses it, on one thread."""

from pathlib import Path

import numpy as np
import torch
from fast_plaid.search import FastPlaid
from serving import serve, timed
from token_vectors import all_processes, read, save

torch.set_num_threads(1)
state = {}


def build(folder, index, n_bits):
    documents, state["queries"] = read(folder)
    state["index"] = FastPlaid(index=index, device="cpu")
    began = all_processes()
    state["index"].create(documents_embeddings=documents, nbits=n_bits)
    return all_processes() - began, len(np.load(Path(index) / "centroids.npy"))


def search(k, saved, **settings):
    results, seconds = timed(
        lambda: state["index"].search(state["queries"], top_k=k, show_progress=False, n_processes=1, **settings)
    )
    save(saved, results, k)
    return seconds


serve({"build": build, "search": search})
