"""Vectors as the number of a centroid and what is left over, each component of that in 2, 4 or 8 bits.

A component of the rest is divided by its own typical size and becomes the number of the nearest of ``2**n_bits`` values,
which are the same for all components. So a vector is ``centroids[code] + scale * values[numbers]``, and its product with
a query is that with the centroid plus that of the scaled query with the values: nothing is decoded but a table lookup.
With 16 bits the vectors are kept whole, in half precision.

Santhanam et al. (2022), *ColBERTv2*, section 3.3, https://arxiv.org/abs/2112.01488; the values are those of least squared
error, by Lloyd (1982), *Least Squares Quantization in PCM*.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Int

from lir_index.array_checks import check_vectors
from lir_index.errors import DamagedIndexError, EmbeddingsError
from lir_index.similarity import Vectors
from lir_index.storage import map_array

_FILES = ("centroids", "scale", "values")
_LARGEST_HALF = float(np.finfo(np.float16).max)

Packed = npt.NDArray[Any]
"""What is left over of each vector: bytes, or half-precision numbers."""


@dataclass(frozen=True)
class Codec:
    """Turns vectors into codes and back.

    Args:
        centroids: ``[centroids, dim]``.
        scale: ``[dim]``: typical size of each component of what is left over.
        values: ``[2**n_bits]``, rising; empty for 16 bits.
        n_bits: Bits of a component: 2, 4, 8 or 16.
    """

    centroids: Vectors
    scale: Float32[np.ndarray, " dim"]
    values: Float32[np.ndarray, " values"]
    n_bits: int

    @classmethod
    def train(cls, centroids: Vectors, sample: Vectors, codes: Int[np.ndarray, " n"], n_bits: int) -> "Codec":
        """Find scale and values.

        Args:
            centroids: The centroids.
            sample: Vectors like those that will be encoded.
            codes: The nearest centroid of each.
            n_bits: Bits of a component.
        """
        if n_bits == 16:
            return cls(centroids, np.ones(centroids.shape[1], np.float32), np.empty(0, np.float32), n_bits)
        rest = sample - centroids[codes]
        scale = np.sqrt(np.mean(np.square(rest), axis=0))
        scale = np.where(scale > 0, scale, 1).astype(np.float32)
        return cls(centroids, scale, _least_squares((rest / scale).reshape(-1), 2**n_bits), n_bits)

    @classmethod
    def open(cls, folder: Path, dim: int, n_bits: int) -> "Codec":
        """Memory-map what :meth:`save` wrote.

        Raises:
            DamagedIndexError: If the files do not fit together.
        """
        shapes = ((None, dim), (dim,), (2**n_bits if n_bits < 16 else 0,))
        centroids, scale, values = (
            map_array(folder / f"{name}.npy", np.float32, shape) for name, shape in zip(_FILES, shapes, strict=True)
        )
        return cls(centroids, scale, values, n_bits)

    def check(self, folder: Path) -> None:
        """Look at all values of what :meth:`open` mapped.

        Raises:
            DamagedIndexError: If there is no centroid, or a value is not finite.
        """
        if len(self.centroids) == 0:
            raise DamagedIndexError(f"'{folder / 'centroids.npy'}' is damaged: it holds no centroid.")
        for name in _FILES:
            check_vectors(folder / f"{name}.npy", getattr(self, name))

    def save(self, folder: Path) -> None:
        """Write ``centroids.npy``, ``scale.npy`` and ``values.npy``."""
        for name in _FILES:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @property
    def row(self) -> tuple[tuple[int, ...], type[np.generic]]:
        """Shape and type of what :meth:`encode` makes of a vector."""
        dim = self.centroids.shape[1]
        return ((dim,), np.float16) if self.n_bits == 16 else ((-(-dim // self._per_byte),), np.uint8)

    def encode(self, vectors: Vectors, codes: Int[np.ndarray, " n"]) -> Packed:
        """Encode what is left over of vectors.

        Raises:
            EmbeddingsError: If a component is no number of half precision, for 16 bits.
        """
        if self.n_bits == 16:
            largest = float(np.abs(vectors).max(initial=0))
            if largest > _LARGEST_HALF:
                raise EmbeddingsError(
                    f"An embedding holds the value {largest:g}, and 16 bits hold at most {_LARGEST_HALF:g}."
                )
            return vectors.astype(np.float16)
        cuts = (self.values[1:] + self.values[:-1]) / 2
        packed = np.zeros((len(vectors), *self.row[0]), dtype=np.uint8)
        # Some at a time: numbers take as much room as the vectors.
        for start in range(0, len(vectors), 8192):
            some = slice(start, start + 8192)
            rest = (vectors[some] - self.centroids[codes[some]]) / self.scale
            numbers = np.searchsorted(cuts, rest).astype(np.uint8)
            for place in range(self._per_byte):
                part = numbers[:, place :: self._per_byte]
                packed[some, : part.shape[1]] |= part << np.uint8(place * self.n_bits)
        return packed

    def decode(self, packed: Packed) -> Float32[np.ndarray, "n dim"]:
        """Look up the values of what is left over, without scale; of 16 bits, the whole vectors."""
        if self.n_bits == 16:
            return packed.astype(np.float32)
        return self.words[packed].view(np.float32)[:, : self.centroids.shape[1]]

    def vectors(self, codes: Int[np.ndarray, " n"], decoded: Float32[np.ndarray, "n dim"]) -> Vectors:
        """Make whole vectors of what :meth:`decode` returned."""
        return decoded if self.n_bits == 16 else self.centroids[codes] + decoded * self.scale

    @property
    def _per_byte(self) -> int:
        return 8 // self.n_bits

    @cached_property
    def words(self) -> npt.NDArray[Any]:
        """What each byte stands for, as one number that holds all of its values; of 16 bits, each pair of bytes."""
        if self.n_bits == 16:
            return np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
        shifts = np.arange(self._per_byte) * self.n_bits
        values = self.values[(np.arange(256)[:, None] >> shifts) & (2**self.n_bits - 1)]
        return values.view({1: np.uint32, 2: np.uint64, 4: np.complex128}[self._per_byte])[:, 0]


def _least_squares(numbers: Float32[np.ndarray, " n"], count: int) -> Float32[np.ndarray, " count"]:
    """Find the ``count`` values of which the nearest differs least from each number, on average."""
    rising = np.sort(numbers[:: max(1, len(numbers) // 2**20)]).astype(np.float64)
    sums = np.concatenate([[0], np.cumsum(rising)])
    values = rising[((np.arange(count) + 0.5) / count * len(rising)).astype(np.int64)]
    for _ in range(30):
        ends = np.searchsorted(rising, (values[1:] + values[:-1]) / 2)
        ends = np.concatenate([[0], ends, [len(rising)]])
        counts = np.diff(ends)
        values = np.where(counts > 0, np.diff(sums[ends]) / np.maximum(counts, 1), values)
    return np.sort(values).astype(np.float32)
