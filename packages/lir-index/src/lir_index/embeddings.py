"""The forms that embeddings take: dense, sparse, multi-vector, COIL's; and texts, for what is searched without an encoder.

Whatever is handed over becomes a :class:`Batch`: named numpy arrays and the form's name. Parts store exactly
these arrays, so that a new form is one more row here and nothing elsewhere.

=============  =========================================  ==================================================
form           as the encoder gives it                    arrays
=============  =========================================  ==================================================
dense          array ``[n, dim]``                         ``embeddings [n, dim]``
sparse         ``scipy.sparse`` matrix ``[n, dim]`` or    ``data [nnz]``, ``indices [nnz]``, ``indptr [n + 1]``
               torch CSR tensor
multi-vector   packed ``(vectors, lengths)``              ``vectors [sum(lengths), dim]``, ``lengths [n]``
coil           ``(text_vectors, vectors, token_ids,       ``text_vectors [n, text_dim]``, ``vectors [sum(lengths), dim]``,
               lengths)``                                 ``token_ids [sum(lengths)]``, ``lengths [n]``
text           sequence of strings                        ``text [sum(lengths)]``, the bytes of UTF-8; ``lengths [n]``
=============  =========================================  ==================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from lir_index.errors import EmbeddingsError
from lir_index.ragged import ranges

Form = Literal["dense", "sparse", "multi-vector", "coil", "text"]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Batch:
    """Embeddings of ``n`` documents or queries, as named arrays.

    Args:
        form: Which of the forms.
        arrays: As in the table of this module; values are float32 or float16.
        dim: Components of a vector; of sparse embeddings, the size of the vocabulary; of COIL's, those of a token's
            vector; of texts, 0.
    """

    form: Form
    arrays: dict[str, npt.NDArray[Any]]
    dim: int

    def __len__(self) -> int:
        if self.form == "dense":
            return len(self.arrays["embeddings"])
        return len(self.arrays["indptr"]) - 1 if self.form == "sparse" else len(self.arrays["lengths"])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def values(self) -> Floats:
        """The array that holds the components."""
        return self.arrays[_VALUES[self.form]]

    def texts(self) -> list[str]:
        """The strings, where the form is text."""
        data, ends = self.arrays["text"].tobytes(), np.cumsum(self.arrays["lengths"]).tolist()
        return [str(data[start:end], "utf-8") for start, end in zip([0, *ends], ends, strict=False)]

    def rows(self, start: int, stop: int) -> "Batch":
        """The embeddings from ``start`` up to ``stop``, without a copy where the form allows it."""
        if self.form == "dense":
            arrays = {"embeddings": self.arrays["embeddings"][start:stop]}
        elif self.form == "sparse":
            indptr = self.arrays["indptr"][start : stop + 1]
            entries = slice(int(indptr[0]), int(indptr[-1]))
            arrays = {name: self.arrays[name][entries] for name in ("data", "indices")}
            arrays["indptr"] = indptr - indptr[0]
        else:
            ends = np.concatenate([[0], np.cumsum(self.arrays["lengths"])])
            entries, own = slice(int(ends[start]), int(ends[stop])), slice(start, stop)
            arrays = {name: array[own if name in _ONE_EACH else entries] for name, array in self.arrays.items()}
        return Batch(self.form, arrays, self.dim)

    def take(self, places: npt.NDArray[np.integer]) -> "Batch":
        """The embeddings at these places, in the order asked for."""
        if self.form == "dense":
            return Batch(self.form, {"embeddings": self.arrays["embeddings"][places]}, self.dim)
        ends = self.arrays["indptr"] if self.form == "sparse" else np.cumsum([0, *self.arrays["lengths"].tolist()])
        lengths = np.diff(ends)[places]
        rows = ranges(ends[places], lengths)
        if self.form == "sparse":
            arrays = {name: self.arrays[name][rows] for name in ("data", "indices")}
            arrays["indptr"] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        else:
            arrays = {name: array[places if name in _ONE_EACH else rows] for name, array in self.arrays.items()}
        return Batch(self.form, arrays, self.dim)

    def truncated(self, dim: int) -> "Batch":
        """The first components of each vector, of dense or multi-vector embeddings."""
        name = _VALUES[self.form]
        return Batch(self.form, {**self.arrays, name: np.ascontiguousarray(self.arrays[name][:, :dim])}, dim)

    def is_sound(self, num: int) -> bool:
        """Whether the arrays are those that the form has, and fit together: of arrays that were read from a file."""
        arrays = self.arrays
        types = {name: array.dtype.name for name, array in arrays.items()}
        if set(types) != set(_TYPES[self.form]) or any(types[name] not in _TYPES[self.form][name] for name in types):
            return False
        if self.form == "dense":
            return arrays["embeddings"].shape == (num, self.dim)
        if self.form == "sparse":
            indptr, indices = arrays["indptr"], arrays["indices"]
            return (
                indptr.shape == (num + 1,)
                and indices.shape == arrays["data"].shape == (indptr[-1],)
                and bool(indptr[0] == 0 and (np.diff(indptr) >= 0).all())
                and bool(((indices >= 0) & (indices < self.dim)).all())
            )
        lengths, packed = arrays["lengths"], arrays[_VALUES[self.form]]
        # Each is compared with the whole first: the sum of numbers that are too large would wrap around.
        if lengths.shape != (num,) or not ((lengths >= 0) & (lengths <= len(packed))).all():
            return False
        total = int(lengths.sum())
        if self.form == "text":
            return packed.shape == (total,) and self.dim == 0 and _is_text(packed, np.cumsum(lengths))
        if packed.shape != (total, self.dim):
            return False
        text_vectors, token_ids = arrays.get("text_vectors"), arrays.get("token_ids")
        return text_vectors is None or (
            text_vectors.ndim == 2
            and len(text_vectors) == num
            and token_ids is not None
            and token_ids.shape == (total,)
        )

    def row_of_value(self, position: int) -> int:
        """Which document the row of :attr:`values` at ``position`` belongs to."""
        if self.form == "dense":
            return position
        ends = self.arrays["indptr"][1:] if self.form == "sparse" else np.cumsum(self.arrays["lengths"])
        return int(np.searchsorted(ends, position, side="right"))


_VALUES = {"dense": "embeddings", "sparse": "data", "multi-vector": "vectors", "coil": "vectors", "text": "text"}

_FLOATS, _INT32, _INT64, _UINT8 = ("float32", "float16"), ("int32",), ("int64",), ("uint8",)
_TYPES = {
    "dense": {"embeddings": _FLOATS},
    "sparse": {"data": _FLOATS, "indices": _INT32, "indptr": _INT64},
    "multi-vector": {"vectors": _FLOATS, "lengths": _INT64},
    "coil": {"text_vectors": _FLOATS, "vectors": _FLOATS, "token_ids": _INT64, "lengths": _INT64},
    "text": {"text": _UINT8, "lengths": _INT64},
}

# Arrays of packed forms that have one row a document, not one a vector.
_ONE_EACH = ("lengths", "text_vectors")


def described(form: str, dim: int | None = None) -> str:
    """Say in words what embeddings are: "dense embeddings of 384 dimensions", or "texts"."""
    if form == "text":
        return "texts"
    return f"{form} embeddings" if dim is None else f"{form} embeddings of {dim} dimensions"


def as_batch(embeddings: object) -> Batch:
    """Recognise the form of what an encoder made.

    Args:
        embeddings: One of the forms in the table of this module. Tensors may lie on any device; numbers that are
            neither float32 nor float16 become float32.

    Returns:
        The same embeddings as arrays.

    Raises:
        EmbeddingsError: If it is none of the forms, or the shapes do not fit together.
    """
    if isinstance(embeddings, Batch):
        return embeddings
    if isinstance(embeddings, list | tuple) and _are_texts(cast("Sequence[object]", embeddings)):
        return _text(cast("Sequence[str]", embeddings))
    if isinstance(embeddings, tuple):
        parts = cast("tuple[object, ...]", embeddings)
        return _coil(parts) if len(parts) == 4 else _multi_vector(parts)
    given = cast("Any", embeddings)
    if str(getattr(given, "layout", "")) == "torch.sparse_csr":
        return _sparse(given.values(), given.col_indices(), given.crow_indices(), given.shape[1])
    if hasattr(given, "tocsr"):
        csr = given.tocsr()
        return _sparse(csr.data, csr.indices, csr.indptr, csr.shape[1])
    array = _as_array(given)
    if array.ndim == 1 and array.dtype.kind in "UO":
        return _text(array.tolist())
    if array.ndim != 2:
        raise EmbeddingsError(f"Dense embeddings are an array [n, dim]; this one has the shape {list(array.shape)}.")
    array = _as_floats(array)
    return Batch("dense", {"embeddings": np.ascontiguousarray(array)}, array.shape[1])


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Put batches of one form and dimension behind each other."""
    first = batches[0]
    if len(batches) == 1:
        return first
    if first.form == "coil":
        _check_text_dims(batches)
    arrays = {name: np.concatenate([b.arrays[name] for b in batches]) for name in first.arrays if name != "indptr"}
    if first.form == "sparse":
        counts = np.concatenate([np.diff(b.arrays["indptr"]) for b in batches])
        arrays["indptr"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Batch(first.form, arrays, first.dim)


def first_not_finite(batch: Batch) -> tuple[int, float] | None:
    """Position and value of the first embedding that holds a NaN or an infinity; None where all are finite."""
    if batch.form == "text":
        return None
    found = _first_not_finite(batch.values)
    if found is not None:
        return batch.row_of_value(found[0]), found[1]
    return _first_not_finite(batch.arrays["text_vectors"]) if batch.form == "coil" else None


def _first_not_finite(values: Floats) -> tuple[int, float] | None:
    # One sum tells in most cases: it is finite only if every value is, and it needs no array of booleans.
    with np.errstate(invalid="ignore"):
        if np.isfinite(np.sum(values, dtype=np.float64)):
            return None
    bad = ~np.isfinite(values)
    return int(np.nonzero(bad)[0][0]), float(values[bad][0])


def _check_text_dims(batches: Sequence[Batch]) -> None:
    """Refuse COIL's embeddings whose vectors of whole texts differ in dimension.

    Raises:
        EmbeddingsError: If they do.
    """
    dims = sorted({batch.arrays["text_vectors"].shape[1] for batch in batches})
    if len(dims) > 1:
        raise EmbeddingsError(f"The vectors of whole texts have {' and '.join(map(str, dims))} dimensions.")


def _is_text(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> bool:
    """Whether bytes are UTF-8, and no letter is cut by an end."""
    try:
        data.tobytes().decode()
    except UnicodeDecodeError:
        return False
    starts = ends[ends < len(data)]
    return not ((data[starts] & 0xC0) == 0x80).any()


def _are_texts(given: Sequence[object]) -> bool:
    # Only texts come in a list that may be empty: an empty array of embeddings has a dimension.
    return isinstance(given[0], str) if given else isinstance(given, list)


def _text(texts: Sequence[str]) -> Batch:
    for place, text in enumerate(texts, start=1):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise EmbeddingsError(f"Texts are strings; number {place} of {len(texts)} is {text!r}.")
    # Half of a surrogate pair has no UTF-8. It is no letter, as the question mark in its place is none.
    encoded = [text.encode("utf-8", "replace") for text in texts]
    arrays = {
        "text": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        "lengths": np.array([len(data) for data in encoded], dtype=np.int64),
    }
    return Batch("text", arrays, 0)


def _sparse(data: object, indices: object, indptr: object, dim: int) -> Batch:
    arrays = {
        "data": _as_floats(_as_array(data)),
        "indices": _as_array(indices).astype(np.int32),
        "indptr": _as_array(indptr).astype(np.int64),
    }
    return Batch("sparse", arrays, int(dim))


def _multi_vector(pair: tuple[object, ...]) -> Batch:
    if len(pair) != 2:
        raise EmbeddingsError(f"Packed embeddings are a pair (vectors, lengths); this tuple has {len(pair)} members.")
    vectors, lengths = _as_array(pair[0]), _as_array(pair[1])
    if vectors.ndim != 2 or lengths.ndim != 1 or not np.issubdtype(lengths.dtype, np.integer):
        raise EmbeddingsError(
            "Packed embeddings are vectors [sum(lengths), dim] and whole numbers lengths [n]; the shapes are "
            f"{list(vectors.shape)} and {list(lengths.shape)}, the lengths {lengths.dtype}."
        )
    if int(lengths.sum()) != len(vectors) or (lengths < 0).any():
        negative = ", and one length is negative" if (lengths < 0).any() else ""
        raise EmbeddingsError(f"The lengths add up to {lengths.sum()}, and there are {len(vectors)} vectors{negative}.")
    arrays = {"vectors": np.ascontiguousarray(_as_floats(vectors)), "lengths": lengths.astype(np.int64)}
    return Batch("multi-vector", arrays, vectors.shape[1])


def _coil(parts: tuple[object, ...]) -> Batch:
    text_vectors, vectors, token_ids, lengths = parts
    packed = _multi_vector((vectors, lengths)).arrays
    text_vectors, token_ids = _as_floats(_as_array(text_vectors)), _as_array(token_ids)
    rows, tokens = len(packed["lengths"]), len(packed["vectors"])
    if text_vectors.ndim != 2 or (len(text_vectors), token_ids.shape) != (rows, (tokens,)):
        raise EmbeddingsError(
            f"Of {rows} texts with {tokens} tokens, COIL's embeddings are text_vectors [{rows}, text_dim] and token_ids "
            f"[{tokens}]; the shapes are {list(text_vectors.shape)} and {list(token_ids.shape)}."
        )
    if not np.issubdtype(token_ids.dtype, np.integer):
        raise EmbeddingsError(f"Token ids are whole numbers; these have the type {token_ids.dtype}.")
    arrays = {
        "text_vectors": np.ascontiguousarray(text_vectors),
        "vectors": packed["vectors"],
        "token_ids": token_ids.astype(np.int64),
        "lengths": packed["lengths"],
    }
    return Batch("coil", arrays, packed["vectors"].shape[1])


def _as_array(value: object) -> npt.NDArray[Any]:
    tensor = cast("Any", value)
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        # numpy has no bfloat16.
        tensor = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    try:
        return np.asarray(tensor)
    except ValueError as error:
        raise EmbeddingsError(f"Embeddings are arrays or tensors, and this is none: {error}.") from error


def _as_floats(array: npt.NDArray[Any]) -> Floats:
    if array.dtype.name in ("float32", "float16"):
        return array
    if array.dtype.kind not in "fiu":
        raise EmbeddingsError(f"Embeddings are numbers; these have the type {array.dtype}.")
    return array.astype(np.float32)
