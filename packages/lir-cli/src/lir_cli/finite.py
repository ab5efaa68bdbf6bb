"""Refuses what a model gives that nothing can be ranked by: NaN, and infinity where half precision overflows."""

import math
from collections.abc import Sequence
from typing import Any

from lir_cli.errors import LirCliError

_HINT = "half precision overflows in some models: try bfloat16 or float32"
_LONGEST = 60


def check_scores(model: str, query: str, docs: Sequence[str], scores: Sequence[float]) -> None:
    """Refuse scores of a query's documents that are not finite.

    Raises:
        LirCliError: If one is not.
    """
    for doc, score in zip(docs, scores, strict=True):
        if not math.isfinite(score):
            raise LirCliError(
                f"The model '{model}' gives the query {_shown(query)} and the document {_shown(doc)} the score {score}, by "
                "which nothing can be ranked.",
                hint=_HINT,
            )


def check_embeddings(model: str, queries: Sequence[str], embeddings: Any) -> None:
    """Refuse embeddings of queries that are not finite.

    Raises:
        LirCliError: If one is not.
    """
    from lir_index.embeddings import as_batch, first_not_finite

    if (bad := first_not_finite(as_batch(embeddings))) is not None:
        raise LirCliError(
            f"The model '{model}' gives the query {_shown(queries[bad[0]])} an embedding that holds the value {bad[1]}.",
            hint=_HINT,
        )


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return f"'{text}'" if len(text) <= _LONGEST else f"'{text[:_LONGEST].rstrip()} …'"
