"""Which documents an interrupted indexing has done, so that they are not encoded again."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from lir_data import DocDataset, DocSample

# Documents that are read at a time; they are not tokenized.
_WINDOW = 1024


def digest(doc: DocSample) -> bytes:
    """Return a hash of a document's id and text."""
    # The length keeps the one from going over into the other; half of a pair of surrogates, which JSON can hold, has to pass.
    whole = f"{len(doc.doc_id)} {doc.doc_id}{doc.doc}"
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def count_done(trainer: Any, shards: Sequence[DocDataset]) -> list[int]:
    """Count the documents that need not be encoded, since they were before and are the same now.

    Args:
        trainer: The trainer. Its callbacks that build indexes say how many documents of this process they have, after they
            have compared them with those that are read now.
        shards: This process's share of each dataset, in the order in which they are indexed.

    Returns:
        How many documents of each share, from its first on.
    """
    found: list[tuple[int, list[int], Any]] = []
    for callback in trainer.callbacks:
        if hasattr(callback, "resume_indexing"):
            counts = [0] * len(shards)
            found.append((callback.resume_indexing(trainer, _digests(shards, counts)), counts, callback))
    # Where one has fewer than another, it decides, and the other passes over what it has.
    total, counts, _ = min(found, key=lambda each: each[0], default=(0, [], None))
    for _, _, callback in found:
        callback.start_at(total)
    return counts if total else [0] * len(shards)


def _digests(shards: Sequence[DocDataset], counts: list[int]) -> Iterator[bytes]:
    """Yield the hash of each document, and count those of each share."""
    for place, shard in enumerate(shards):
        for window in shard.windows(_WINDOW):
            for doc in window:
                counts[place] += 1
                yield digest(doc)
