"""The ids of an index's documents: any text, tens of millions of them, and no Python list of them.

Three files: ``doc_ids.bin`` is the UTF-8 of all ids without a separator, ``doc_ids.ends.npy`` says where each ends, and
``doc_ids.rank.npy`` gives each document's place in the order of ids, which breaks ties between equal scores.
UTF-8 keeps the order of code points, so bytes and Python's strings are ordered alike.
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lir_index.array_checks import check_permutation, check_rising
from lir_index.errors import DamagedIndexError, DocumentIdError
from lir_index.storage import map_array, naming

Integers = npt.NDArray[np.integer]
Bytes = npt.NDArray[np.uint8]

# Ids that are read at once: some megabytes where they are long.
_AT_ONCE = 4096

# Bytes that are looked through at once: arrays of some megabytes are made of them.
_SCANNED = 1 << 22

_BYTES, _ENDS, _RANKS = "doc_ids.bin", "doc_ids.ends.npy", "doc_ids.rank.npy"


class DocIds:
    """The ids of an index, by position, memory-mapped.

    Args:
        folder: Where :func:`write_doc_ids` wrote.

    Raises:
        DamagedIndexError: If the files do not fit together.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends: Integers = map_array(folder / _ENDS, np.int64)
        self.ranks: Integers = map_array(folder / _RANKS, _rank_type(len(self._ends)), self._ends.shape)
        try:
            with (folder / _BYTES).open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DamagedIndexError(f"'{folder / _BYTES}' cannot be read: {error}.") from error
        self._values: Bytes = np.frombuffer(self._bytes, dtype=np.uint8)
        if self._ends[-1:].sum() != len(self._bytes):
            raise DamagedIndexError(f"The document ids in '{folder}' are damaged: their files do not fit together.")

    def check(self) -> None:
        """Look at all values that finding ids relies on.

        Raises:
            DamagedIndexError: If an id is empty, or the order of ids is none.
        """
        check_rising(self._folder / _ENDS, self._ends, 0, len(self._bytes), strictly=True)
        check_permutation(self._folder / _RANKS, self.ranks)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, position: int) -> str:
        return self.at([position])[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), 65536):
            yield from self.at(range(start, min(start + 65536, len(self))))

    def at(self, positions: Sequence[int] | Integers) -> list[str]:
        """The ids at these positions, in the order asked for."""
        places = np.asarray(positions, dtype=np.int64)
        ends = self._ends[places]
        starts = np.where(places > 0, self._ends[places - 1], 0)
        found: list[str] = []
        try:
            for first in range(0, len(places), _AT_ONCE):
                chosen = slice(first, first + _AT_ONCE)
                found += self._lines(starts[chosen], ends[chosen]) or self._one_by_one(starts[chosen], ends[chosen])
            return found
        except UnicodeDecodeError as error:
            raise DamagedIndexError(f"The document ids in '{self._folder}' are damaged: they are no UTF-8.") from error

    def _lines(self, starts: Integers, ends: Integers) -> list[str] | None:
        """Read ids as the lines of one text, four times as fast; None if they are few or hold line breaks themselves."""
        if len(starts) < 16:
            return None
        lengths = ends - starts + 1
        stops = np.cumsum(lengths)
        places = np.repeat(starts - stops + lengths, lengths) + np.arange(stops[-1])
        text = self._values.take(places, mode="clip")
        text[stops - 1] = ord("\n")
        lines = text.tobytes().decode().split("\n")
        return lines[:-1] if len(lines) == len(starts) + 1 else None

    def _one_by_one(self, starts: Integers, ends: Integers) -> list[str]:
        data = self._bytes
        return [str(data[start:end], "utf-8") for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def unusual(self) -> Integers:
        """Where ids lie that have a control character, a space or a letter beyond ASCII: all with white space are among them."""
        found = [np.empty(0, dtype=np.int64)]
        for start in range(0, len(self._values), _SCANNED):
            block = self._values[start : start + _SCANNED]
            # As signed bytes, those beyond ASCII are negative.
            places = np.flatnonzero(block.view(np.int8) <= ord(" "))
            found.append(np.unique(np.searchsorted(self._ends, places + start, side="right")))
        return np.unique(np.concatenate(found))

    def positions(self, doc_ids: Iterable[str]) -> Integers:
        """Where documents lie, in rising order.

        Args:
            doc_ids: Ids; those that the index does not hold are passed over.

        Returns:
            One position for each different id that the index holds.
        """
        wanted = set(doc_ids)
        # A lookup reads about log2(n) ids; beyond n / 32 lookups, one pass over all ids is cheaper.
        if len(wanted) * 32 > len(self):
            found = [position for position, doc_id in enumerate(self) if doc_id in wanted]
        else:
            found = sorted(position for doc_id in wanted if (position := self._find(doc_id)) is not None)
        return np.array(found, dtype=np.int64)

    @cached_property
    def _order(self) -> Integers:
        order = np.empty(len(self), dtype=np.int64)
        try:
            order[self.ranks] = np.arange(len(self))
        except IndexError as error:
            raise DamagedIndexError(f"The document ids in '{self._folder}' are damaged: {error}.") from error
        return order

    def _find(self, doc_id: str) -> int | None:
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            position = int(self._order[middle])
            seen = self[position]
            if seen == doc_id:
                return position
            low, high = (middle + 1, high) if seen < doc_id else (low, middle)
        return None


def write_doc_ids(folder: Path, batches: Iterable[Sequence[str]]) -> None:
    """Write the three files of the ids.

    Args:
        folder: Where to; it exists.
        batches: The ids in the order of the documents.

    Raises:
        DocumentIdError: If an id occurs twice; the message gives it, and the positions.
        StorageError: If the operating system refuses to write.
    """
    lengths: list[Integers] = []
    with naming(folder):
        with (folder / _BYTES).open("wb") as file:
            for doc_ids in batches:
                data, ends = pack(doc_ids)
                file.write(data.data)
                lengths.append(np.diff(ends, prepend=0))
        ends = np.cumsum(np.concatenate(lengths), dtype=np.int64)
        np.save(folder / _ENDS, ends)
        data = np.asarray(np.memmap(folder / _BYTES, dtype=np.uint8, mode="r"))
        order, twins = _sort(data, ends)
        if twins is not None:
            first, second = sorted(twins)
            doc_id = bytes(data[ends[first - 1] if first else 0 : ends[first]]).decode()
            raise DocumentIdError(
                f"The document id '{doc_id}' occurs twice, as documents {first + 1} and {second + 1}."
            )
        ranks = np.empty(len(order), dtype=_rank_type(len(order)))
        ranks[order] = np.arange(len(order))
        np.save(folder / _RANKS, ranks)


def pack(doc_ids: Sequence[str]) -> tuple[Bytes, Integers]:
    """Turn ids into the bytes of their UTF-8 and the places where each ends.

    Raises:
        DocumentIdError: If an id is no valid text: it has half of a surrogate pair.
    """
    try:
        encoded = [doc_id.encode() for doc_id in doc_ids]
    except UnicodeEncodeError as error:
        raise DocumentIdError(f"The document id {error.object!r} is no valid unicode text.") from error
    ends = np.cumsum([len(data) for data in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), ends


def unpack(data: Bytes, ends: Integers) -> list[str]:
    """Turn the result of :func:`pack` back into ids."""
    text = data.tobytes()
    starts = [0, *ends[:-1].tolist()]
    return [str(text[start:end], "utf-8") for start, end in zip(starts, ends.tolist(), strict=True)]


def _rank_type(count: int) -> type[np.signedinteger]:
    return np.int32 if count < 2**31 else np.int64


def _sort(data: Bytes, ends: Integers) -> tuple[Integers, tuple[int, int] | None]:
    """Order ids by their bytes, eight at a time, going on only where a tie is left.

    Returns:
        The positions in the order of ids, and two positions that hold the same id, if there are any.
    """
    lengths = np.diff(ends, prepend=0)
    starts = ends - lengths
    order = np.arange(len(ends))
    tied, groups = np.arange(len(ends)), np.zeros(len(ends), dtype=np.int64)
    for depth in (*range(0, int(lengths.max()), 8), None):
        if len(tied) == 0:
            break
        places = order[tied]
        # When all bytes have been compared, the shorter of two ids comes first.
        keys = lengths[places] if depth is None else _eight_bytes(data, starts[places], ends[places], depth)
        ranking = np.lexsort((keys, groups))
        order[tied] = places[ranking]
        keys, groups = keys[ranking], groups[ranking]
        begins = np.concatenate([[True], (keys[1:] != keys[:-1]) | (groups[1:] != groups[:-1])])
        groups = np.cumsum(begins)
        alone = begins & np.concatenate([begins[1:], [True]])
        tied, groups = tied[~alone], groups[~alone]
    return order, (int(order[tied[0]]), int(order[tied[1]])) if len(tied) else None


def _eight_bytes(data: Bytes, starts: Integers, ends: Integers, depth: int) -> npt.NDArray[np.uint64]:
    keys = np.zeros(len(starts), dtype=np.uint64)
    for byte in range(depth, depth + 8):
        places = starts + byte
        inside = places < ends
        keys = (keys << np.uint64(8)) | np.where(inside, data[np.where(inside, places, 0)], 0).astype(np.uint64)
    return keys
