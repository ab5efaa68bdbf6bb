"""The files of a BEIR folder: corpus.jsonl, queries.jsonl and qrels/<split>.tsv, each plain or packed.

Thakur et al. (2021), *BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models*.
https://arxiv.org/abs/2104.08663
"""

from pathlib import Path
from typing import Literal

from lir_data.errors import MissingPartError, did_you_mean
from lir_data.sources.names import PACKINGS, BeirFolder, Source, beir_folder, shown

Part = Literal["docs", "queries", "qrels"]

_STEMS = {"docs": "corpus", "queries": "queries"}
_PACKINGS = ("", *PACKINGS)


def file_of(folder: BeirFolder, part: Part) -> Path:
    """Return the file of a part; the judgements are those of the split, or of the only one.

    Raises:
        MissingPartError: If there is no such file or split; the message says what there is.
    """
    there = splits(folder)
    if folder.split is not None and folder.split not in there:
        raise MissingPartError(
            f"'{shown(folder.path)}' has no split '{folder.split}'; it has {_listed(there)}."
            f"{did_you_mean(folder.split, there)}"
        )
    if part != "qrels":
        for packing in _PACKINGS:
            if (path := folder.path / f"{_STEMS[part]}.jsonl{packing}").is_file():
                return path
        raise MissingPartError(f"The BEIR folder '{shown(folder.path)}' has no {_STEMS[part]}.jsonl, plain or packed.")
    if folder.split is not None:
        return there[folder.split]
    if len(there) != 1:
        advice = f" Choose one: '{shown(folder.path)}/{next(iter(there))}'." if there else ""
        raise MissingPartError(
            f"'{shown(folder.path)}' does not say which judgements are meant; it has {_listed(there)}.{advice}"
        )
    return next(iter(there.values()))


def splits(folder: BeirFolder) -> dict[str, Path]:
    """Return the files of judgements by the names of their splits, sorted."""
    found = {
        path.name.removesuffix(f".tsv{packing}"): path
        for packing in reversed(_PACKINGS)
        for path in (folder.path / "qrels").glob(f"*.tsv{packing}")
    }
    return dict(sorted(found.items()))


def has_qrels(source: Source) -> bool:
    """Whether a source is a BEIR folder that says which judgements are meant."""
    folder = beir_folder(source)
    return folder is not None and (folder.split is not None or len(splits(folder)) == 1)


def _listed(there: dict[str, Path]) -> str:
    names = ", ".join(f"'{name}'" for name in there)
    return f"the splits {names}" if len(there) > 1 else f"the split {names}" if there else "no qrels/*.tsv"
