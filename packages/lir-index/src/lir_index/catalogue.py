"""The documents of an index: all segments' behind each other, without those that were deleted."""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import cast

import numpy as np

from lir_index.doc_ids import DocIds
from lir_index.errors import ArgumentError
from lir_index.top_k import Mask, Positions


class Catalogue:
    """The ids of an index's documents. As a sequence, of those that can be found, in the order they were indexed.

    A document's position counts the documents of all segments, deleted ones too.

    Args:
        segments: The ids of each segment.
        deleted: Positions of deleted documents, rising.
    """

    def __init__(self, segments: Sequence[DocIds], deleted: Positions) -> None:
        self._segments = segments
        self._deleted = deleted
        self.starts: Positions = np.cumsum([0, *(len(segment) for segment in segments)])
        """Position of each segment's first document, and of one past the last."""

    def __len__(self) -> int:
        return int(self.starts[-1]) - len(self._deleted)

    def __iter__(self) -> Iterator[str]:
        for _, doc_ids in self.blocks():
            yield from doc_ids

    def blocks(self) -> Iterator[tuple[Positions, list[str]]]:
        """Positions and ids of the documents that can be found, some thousands at a time."""
        end = int(self.starts[-1])
        for start in range(0, end, 65536):
            places = np.arange(start, min(start + 65536, end))
            places = places if self.live is None else places[self.live[places]]
            yield places, self.at(places)

    def __getitem__(self, number: int) -> str:
        if not -len(self) <= number < len(self):
            raise IndexError(f"There are {len(self)} documents, and none has the number {number}.")
        number %= len(self)
        return self.at([number if self.live is None else int(np.flatnonzero(self.live)[number])])[0]

    @cached_property
    def live(self) -> Mask | None:
        """Which positions hold a document that was not deleted; None where none was."""
        if len(self._deleted) == 0:
            return None
        live = np.ones(int(self.starts[-1]), dtype=np.bool_)
        live[self._deleted] = False
        return live

    def at(self, positions: Sequence[int] | Positions) -> list[str]:
        """The ids at these positions, in the order asked for."""
        places = np.asarray(positions, dtype=np.int64)
        if len(self._segments) == 1:
            return self._segments[0].at(places)
        ids = [""] * len(places)
        owners = np.searchsorted(self.starts, places, side="right") - 1
        for number in np.unique(owners):
            members = np.flatnonzero(owners == number)
            for member, doc_id in zip(
                members.tolist(), self._segments[number].at(places[members] - self.starts[number]), strict=True
            ):
                ids[member] = doc_id
        return ids

    def positions(self, doc_ids: Collection[str]) -> Positions:
        """Where documents lie, in rising order; ids that the index does not hold are passed over."""
        places = np.concatenate(
            [
                segment.positions(doc_ids) + start
                for segment, start in zip(self._segments, self.starts[:-1], strict=True)
            ]
        )
        return places if self.live is None else places[self.live[places]]

    def unusual(self) -> Iterator[str]:
        """The ids that have a control character, a space or a letter beyond ASCII; read from their bytes, so quickly."""
        for segment, start in zip(self._segments, self.starts[:-1].tolist(), strict=True):
            places = segment.unusual() + start
            places = places if self.live is None else places[self.live[places]]
            for block in range(0, len(places), 65536):
                yield from self.at(places[block : block + 65536])

    def mask(self, allowed: Collection[str] | Mask | None) -> Mask | None:
        """Say which positions may be found.

        Args:
            allowed: Ids; or one boolean for each document that was not deleted, in order; None for all.

        Returns:
            One boolean a position; None if all may be found.

        Raises:
            ArgumentError: If it is one text, or a mask of another length.
        """
        if allowed is None:
            return self.live
        if isinstance(allowed, str):
            raise ArgumentError(f"allowed is a list of document ids; this is the one text '{allowed}'.")
        mask = np.zeros(int(self.starts[-1]), dtype=np.bool_)
        if not isinstance(allowed, np.ndarray) or allowed.dtype.kind in "UO":
            mask[self.positions(cast("Collection[str]", allowed))] = True
            return mask
        if allowed.dtype != np.bool_ or allowed.shape != (len(self),):
            raise ArgumentError(
                f"A mask of allowed documents has {len(self)} booleans, one for each document of the index; "
                f"this one is {allowed.dtype} {list(allowed.shape)}."
            )
        mask[slice(None) if self.live is None else self.live] = allowed
        return mask
