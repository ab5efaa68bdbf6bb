"""What a source's name means: a file, a BEIR folder, a dataset of Hugging Face, or an id of ir_datasets."""

from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from lir_data.errors import SourceNotFoundError
from lir_data.sources.hugging_face import PREFIX, HuggingFaceName
from lir_data.sources.registered import portable

# No id of ir_datasets ends in one of these.
_SUFFIXES = {".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet", ".gz", ".zst", ".run", ".trec", ".qrels"}


# What makes a folder one of BEIR, plain or packed.
_BEIR_FILES = tuple(f"{stem}.jsonl{packing}" for stem in ("corpus", "queries") for packing in ("", ".gz", ".zst"))


class BeirFolder(NamedTuple):
    """A folder with the files of BEIR, and which of its splits is meant, if any is."""

    path: Path
    split: str | None


def is_file_name(source: str) -> bool:
    """Whether a source is no id of ir_datasets: a file that exists, a name that looks like one, or ``hf:NAME``.

    A BEIR folder counts as well, and wins over an id of the same name.
    """
    if source.startswith(PREFIX):
        return True
    path = Path(source).expanduser()
    return (
        path.is_file()
        or source.startswith((".", "/", "~"))
        or path.suffix.lower() in _SUFFIXES
        or beir_folder(source) is not None
    )


def is_collection(source: str) -> bool:
    """Whether a source has documents, queries and judgements: an id of ir_datasets, or a BEIR folder."""
    return not is_file_name(source) or beir_folder(source) is not None


def beir_folder(source: str) -> BeirFolder | None:
    """Return the BEIR folder that ``folder`` or ``folder/split`` names, its path absolute; None if it is none."""
    path = Path(source).expanduser()
    if source.startswith(PREFIX) or path.is_file():
        return None
    if path.is_dir():
        return BeirFolder(path.resolve(), None) if _is_beir(path) else None
    # A name alone is no split of the working folder: it is an id of ir_datasets.
    if "/" in source and path.suffix.lower() not in _SUFFIXES and _is_beir(path.parent):
        return BeirFolder(path.parent.resolve(), path.name)
    return None


def _is_beir(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _BEIR_FILES)


def existing(source: str) -> Path:
    """Return the absolute path of a file.

    Raises:
        SourceNotFoundError: If it is not there.
    """
    path = Path(source).expanduser().resolve()
    if path.is_dir():
        raise SourceNotFoundError(f"'{shown(path)}' is a folder; a file is needed.")
    if not path.is_file():
        raise SourceNotFoundError(f"There is no file '{shown(path)}'.{_nearest_file(path)}")
    return path


def _nearest_file(path: Path) -> str:
    """Return which file of the same folder was meant, if any is near."""
    try:
        names = [item.name for item in path.parent.iterdir() if item.is_file()]
    except OSError:  # nor is there a folder, or none that may be read
        return ""
    near = get_close_matches(path.name, names, n=1)
    return f" Did you mean '{shown(path.with_name(near[0]))}'?" if near else ""


def no_beir_folder(source: str) -> str:
    """Return the sentence about a folder that has none of the files of BEIR."""
    return (
        f"'{shown(Path(source).expanduser().resolve())}' is a folder, but no BEIR folder: there is neither a corpus.jsonl "
        "nor a queries.jsonl in it, plain, .gz or .zst."
    )


def shown(source: str | Path | HuggingFaceName) -> str:
    """Return a name for messages: of a file within the working folder, the way from there."""
    if isinstance(source, HuggingFaceName):
        return str(source)
    try:
        return str(Path(source).relative_to(Path.cwd()))
    except ValueError:
        return str(source)


def full_name(source: str) -> str:
    """Return a name that opens the same source from any folder and process: the id, or the absolute path."""
    if source.startswith(PREFIX):
        return str(HuggingFaceName.parse(source))
    return str(Path(source).expanduser().resolve()) if is_file_name(source) else portable(source)


def short_name(source: str) -> str:
    """Return a name for logs: the id, the folder's name and split, or the file's name without its suffixes."""
    if not is_file_name(source):
        return source
    if source.startswith(PREFIX):
        path = HuggingFaceName.parse(source).path
        return Path(path).name if path.startswith("/") else path
    if (folder := beir_folder(source)) is not None:
        return folder.path.name if folder.split is None else f"{folder.path.name}/{folder.split}"
    name = Path(source).name
    while Path(name).suffix.lower() in _SUFFIXES:
        name = Path(name).stem
    return name
