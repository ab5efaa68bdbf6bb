"""What bm25s saves, read back without trusting it: bm25s itself takes any values, and reads what they lead to."""

from pathlib import Path
from typing import Any, cast

import numpy as np

from lir_index.array_checks import check_range, check_rising, check_vectors
from lir_index.errors import DamagedIndexError
from lir_index.fields import Fields, read_json
from lir_index.storage import map_array

_PARAMETERS, _VOCABULARY = "params.index.json", "vocab.index.json"
_DATA, _INDICES, _INDPTR = "data.csc.index.npy", "indices.csc.index.npy", "indptr.csc.index.npy"
_ELSEWHERE = "nonoccurrence_array.index.npy"
_METHODS = ("robertson", "lucene", "atire", "bm25l", "bm25+")


def load_scores(bm25s: Any, folder: Path, num_docs: int) -> Any:
    """Load the scores.

    Args:
        bm25s: The package.
        folder: Where it saved them.
        num_docs: Of how many documents they have to be.

    Raises:
        DamagedIndexError: If the files do not fit together.
    """
    try:
        parameters = Fields(folder / _PARAMETERS, read_json(folder / _PARAMETERS))
    except FileNotFoundError as error:
        raise DamagedIndexError(f"The file '{folder / _PARAMETERS}' is missing.") from error
    for name in ("k1", "b", "delta"):
        parameters.number(name)
    method = parameters.one_of("method", _METHODS)
    parameters.one_of("idf_method", (*_METHODS, None))
    parameters.one_of("dtype", ("float32",))
    parameters.one_of("int_dtype", ("int32", "int64"))
    parameters.one_of("backend", ("numpy",))
    parameters.one_of("num_docs", (num_docs,))
    parameters.text("version")
    parameters.only(
        ("k1", "b", "delta", "method", "idf_method", "dtype", "int_dtype", "num_docs", "version", "backend")
    )
    # bm25s maps them itself; here it is seen what they are.
    data = map_array(folder / _DATA, np.float32)
    map_array(folder / _INDICES, np.integer, data.shape)
    indptr = map_array(folder / _INDPTR, np.integer)
    if method in ("bm25l", "bm25+"):
        map_array(folder / _ELSEWHERE, np.float32, (len(indptr) - 1,))
    try:
        # bm25s's defaults, spelled out: what is pickled could run code of whoever made the file.
        return bm25s.BM25.load(folder, mmap=True, allow_pickle=False, load_corpus=False)
    except Exception as error:
        raise DamagedIndexError(f"bm25s cannot read what it saved in '{folder}': {error!r:.200}.") from error


def check_scores(folder: Path, scores: Any) -> None:
    """Look at all values that a search relies on.

    Raises:
        DamagedIndexError: If a word has no scores, or a score no document.
    """
    arrays = scores.scores
    check_rising(folder / _INDPTR, arrays["indptr"], 0, len(arrays["data"]))
    check_range(folder / _INDICES, arrays["indices"], arrays["num_docs"])
    check_vectors(folder / _DATA, arrays["data"])
    if scores.nonoccurrence_array is not None:
        check_vectors(folder / _ELSEWHERE, scores.nonoccurrence_array)
    words: object = scores.vocab_dict
    numbers = range(len(arrays["indptr"]) - 1)
    is_sound = isinstance(words, dict) and all(
        type(number) is int and number in numbers for number in cast("dict[str, object]", words).values()
    )
    if not is_sound:
        raise DamagedIndexError(f"'{folder / _VOCABULARY}' is damaged: a word in it has no scores.")
