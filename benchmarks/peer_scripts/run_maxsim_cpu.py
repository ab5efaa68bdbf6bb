"""maxsim-cpu: the scores of all documents, and the best of them."""

import maxsim_cpu
import numpy as np
from serving import serve, timed

state = {}


def load(folder):
    vectors, lengths, queries = (np.load(f"{folder}/{name}.npy") for name in ("vectors", "lengths", "queries"))
    state["documents"] = np.split(vectors, np.cumsum(lengths)[:-1])
    state["queries"] = list(queries)


def search(queries, k, save=None):
    found, seconds = timed(lambda: [best(query, k) for query in state["queries"][:queries]])
    if save:
        np.save(save, np.array(found))
    return seconds


def best(query, k):
    scores = maxsim_cpu.maxsim_scores_variable(query, state["documents"])
    top = np.argpartition(scores, len(scores) - k)[len(scores) - k :]
    return top[np.argsort(-scores[top])]


serve({"load": load, "search": search})
