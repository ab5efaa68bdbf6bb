"""The forms that embeddings take, as tensors while a model computes and as arrays when it is done.

============  ==================================================================================================
form          what it is
============  ==================================================================================================
dense         ``[texts, dim]``
sparse        ``[texts, vocabulary]``: a dense tensor in a batch, a ``scipy.sparse.csr_array`` when done
multi-vector  `Packed`: the vectors of all texts behind each other, and how many are each text's
coil          `CoilEmbeddings`: a vector a text, and packed vectors of tokens with their ids
============  ==================================================================================================
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array, vstack
from torch import Tensor

from lir_models.fields import Form


class Packed(NamedTuple):
    """Vectors of several texts.

    Args:
        vectors: ``[total, dim]``: the first ``lengths[0]`` rows are the first text's, and so on.
        lengths: ``[texts]``: vectors of each text; ``total`` is their sum.
    """

    vectors: Any
    lengths: Any


class CoilEmbeddings(NamedTuple):
    """Embeddings by which two texts are compared as wholes, and token by token where they share a token.

    Args:
        text_vectors: ``[texts, cls_embedding_dim]``.
        vectors: ``[total, token_embedding_dim]``: the vectors of the first text's tokens, then the second's, ….
        token_ids: ``[total]``.
        lengths: ``[texts]``: tokens of each text; ``total`` is their sum.
    """

    text_vectors: Any
    vectors: Any
    token_ids: Any
    lengths: Any


class SparseRows(NamedTuple):
    """Term weights that are not 0, while they are on their way to a ``scipy.sparse.csr_array``.

    Args:
        values: ``[total]``: the weights of the first text, then the second's, ….
        terms: ``[total]``.
        counts: ``[texts]``: weights of each text; ``total`` is their sum.
    """

    values: Tensor
    terms: Tensor
    counts: Tensor


#: One vector a text.
Dense = Float[np.ndarray, "texts dim"]

#: What a model makes of texts: of one text alone, not in a list, a vector (of a sparse model, one row).
Encoded = Dense | Float[np.ndarray, " dim"] | csr_array | Packed | CoilEmbeddings

#: The same while it is computed, with gradients.
BatchEmbeddings = Float[Tensor, "texts dim"] | Packed | CoilEmbeddings


def without_zeros(weights: Float[Tensor, "texts vocabulary"]) -> SparseRows:
    """Return the weights that are not 0."""
    texts, terms = weights.nonzero(as_tuple=True)
    return SparseRows(weights[texts, terms], terms, torch.bincount(texts, minlength=len(weights)))


def to_arrays(rows: Any, dim: int) -> Any:
    """Return tensors on the CPU as float32 arrays; sparse rows as a matrix of so many columns."""
    if isinstance(rows, SparseRows):
        starts = np.concatenate([[0], np.cumsum(_array(rows.counts))])
        values, terms = _array(rows.values), _array(rows.terms).astype(np.int32)
        return csr_array((values, terms, starts), shape=(len(starts) - 1, dim))
    if isinstance(rows, tuple):
        return type(rows)(*map(_array, rows))
    return _array(rows)


def _array(tensor: Tensor) -> np.ndarray:
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def to_tensors(embeddings: Any) -> Any:
    """Return arrays as tensors that share their memory; what is sparse stays as it is."""
    if isinstance(embeddings, tuple):
        kind: Any = type(embeddings) if isinstance(embeddings, CoilEmbeddings) else Packed
        return kind(*(torch.as_tensor(part) for part in embeddings))
    return embeddings if isinstance(embeddings, csr_array) else torch.as_tensor(embeddings)


def take(embeddings: Any, places: Sequence[int] | np.ndarray) -> Any:
    """Select texts by position, from arrays of any form."""
    places = np.asarray(places, dtype=np.int64)
    if not isinstance(embeddings, tuple):
        return embeddings[places]
    lengths: np.ndarray = embeddings[-1]
    starts = (np.cumsum(lengths) - lengths)[places]
    kept = lengths[places]
    rows = np.repeat(starts - (np.cumsum(kept) - kept), kept) + np.arange(kept.sum())
    if isinstance(embeddings, CoilEmbeddings):
        return CoilEmbeddings(
            embeddings.text_vectors[places], embeddings.vectors[rows], embeddings.token_ids[rows], kept
        )
    return Packed(embeddings[0][rows], kept)


def num_texts(embeddings: Any) -> int:
    """Count the texts of embeddings of any form."""
    return len(embeddings[-1]) if isinstance(embeddings, tuple) else embeddings.shape[0]


def texts_between(embeddings: Any, start: int, stop: int) -> Any:
    """Select texts that follow each other, from tensors of any form, with gradients."""
    if not isinstance(embeddings, tuple):
        return embeddings[start:stop]
    lengths: Any = embeddings[-1]
    first, last = int(lengths[:start].sum()), int(lengths[:stop].sum())
    if isinstance(embeddings, CoilEmbeddings):
        return CoilEmbeddings(
            embeddings.text_vectors[start:stop],
            embeddings.vectors[first:last],
            embeddings.token_ids[first:last],
            lengths[start:stop],
        )
    return Packed(embeddings[0][first:last], lengths[start:stop])


def assemble(pieces: Sequence[tuple[np.ndarray, Any]]) -> Any:
    """Put the embeddings of batches together, each text at its place.

    Args:
        pieces: Places of the texts of a batch, and their embeddings; at least one batch, every place once.
    """
    places = np.concatenate([places for places, _ in pieces])
    if isinstance(first := pieces[0][1], np.ndarray):
        rows = np.empty((len(places), first.shape[1]), dtype=first.dtype)
        for targets, values in pieces:
            rows[targets] = values
        return rows
    return take(concatenated([values for _, values in pieces]), np.argsort(places))


def concatenated(pieces: Sequence[Any]) -> Any:
    """Put embeddings behind each other, of any form."""
    first = pieces[0]
    if isinstance(first, tuple):
        kind: Any = type(first)
        return kind(*map(np.concatenate, zip(*pieces, strict=True)))
    return np.concatenate(pieces) if isinstance(first, np.ndarray) else csr_array(vstack(pieces, format="csr"))


def empty(form: Form, dim: int, text_dim: int = 0) -> Any:
    """Return the embeddings of no texts."""
    vectors, lengths = np.zeros((0, dim), dtype=np.float32), np.zeros(0, dtype=np.int64)
    if form == "sparse":
        return csr_array((0, dim), dtype=np.float32)
    if form == "multi-vector":
        return Packed(vectors, lengths)
    if form == "coil":
        return CoilEmbeddings(np.zeros((0, text_dim), dtype=np.float32), vectors, lengths, lengths)
    return vectors


def as_packed(embeddings: Float[Tensor, "texts dim"] | Packed) -> Packed:
    """Return embeddings of one vector a text in the form of several."""
    if isinstance(embeddings, Packed):
        return embeddings
    lengths: Int[Tensor, " texts"] = torch.ones(len(embeddings), dtype=torch.long, device=embeddings.device)
    return Packed(embeddings, lengths)
