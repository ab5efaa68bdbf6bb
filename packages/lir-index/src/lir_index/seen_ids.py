"""Which document ids have occurred, in eight bytes each, so that a duplicate is found when it is read."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class SeenIds:
    """Hashes of ids. Two ids may have the same: about once in 500,000 collections of nine million documents."""

    def __init__(self) -> None:
        # Each array is sorted and at least twice as long as the next.
        self._hashes: list[npt.NDArray[np.int64]] = []

    def add(self, doc_ids: Sequence[str]) -> list[str]:
        """Add ids.

        Returns:
            Those whose hash has occurred before; whether they have occurred themselves is for the caller to see.
        """
        hashes = np.fromiter(map(hash, doc_ids), np.int64, len(doc_ids))
        order = np.argsort(hashes, kind="stable")
        ascending = hashes[order]
        known = np.zeros(len(doc_ids), dtype=bool)
        known[1:] = ascending[1:] == ascending[:-1]
        for earlier in self._hashes:
            places = np.searchsorted(earlier, ascending)
            known |= earlier[np.minimum(places, len(earlier) - 1)] == ascending
        self._keep(ascending)
        return [doc_ids[int(place)] for place in np.sort(order[known])]

    def _keep(self, hashes: npt.NDArray[np.int64]) -> None:
        if len(hashes) == 0:
            return
        while self._hashes and len(self._hashes[-1]) < 2 * len(hashes):
            # Of two sorted runs a stable sort makes one in a single pass.
            hashes = np.sort(np.concatenate([self._hashes.pop(), hashes]), kind="stable")
        self._hashes.append(hashes)
