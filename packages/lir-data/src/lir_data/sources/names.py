"""What a source's name means: a file, several, a BEIR folder, a dataset of Hugging Face, or an id of ir_datasets."""

import glob
import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from lir_data.errors import ArgumentError, SourceNotFoundError
from lir_data.sources.fields import NO_FIELDS, Fields, parse_fields
from lir_data.sources.hugging_face import PREFIX, HuggingFaceName
from lir_data.sources.memory import MemoryTable
from lir_data.sources.registered import portable

#: A name, or what lies in memory.
Source = str | MemoryTable

#: What comes last in the name of a packed file.
PACKINGS: tuple[str, ...] = (".gz", ".zst", ".bz2", ".xz")

# What the name of a file of data ends in, unpacked.
_FORMATS = {".tsv", ".csv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".run", ".trec", ".qrels", ".xml"}

# No id of ir_datasets ends in one of these.
_SUFFIXES = {*_FORMATS, *PACKINGS}

# What makes a folder one of BEIR, plain or packed.
_BEIR_FILES = tuple(f"{stem}.jsonl{packing}" for stem in ("corpus", "queries") for packing in ("", *PACKINGS))

# ``docs.jsonl?id=docno``; a question mark without an equals sign behind it is one of a pattern.
_WITH_FIELDS = re.compile(r"(.+?)\?([A-Za-z_]+=[^?]*)", re.DOTALL)


_WHITE, _WORD = re.compile(r"\s"), re.compile(r"\w")


class BeirFolder(NamedTuple):
    """A folder with the files of BEIR, and which of its splits is meant, if any is."""

    path: Path
    split: str | None


def is_file_name(source: Source) -> bool:
    """Whether a source is no id of ir_datasets: a file or folder, a name that looks like one, ``hf:NAME``, or in memory.

    A BEIR folder wins over an id of the same name; an id wins over another folder.
    """
    if isinstance(source, MemoryTable) or source.startswith(PREFIX) or names_in(source) is not None:
        return True
    name, _ = split_fields(source)
    path = Path(name).expanduser()
    return (
        path.is_file()
        or name.startswith((".", "/", "~"))
        or name.endswith("/")
        or "*" in name
        or path.suffix.lower() in _SUFFIXES
        or beir_folder(name) is not None
        or (path.is_dir() and not _is_id(name))
    )


def looks_like_a_file(text: str) -> bool:
    """Whether a text among others is the name of a file, folder or pattern, and not a text to be read itself.

    A name has no white space. It is that of a file which exists, ends as the name of a file of data does, begins with
    ``hf:``, or is a pattern or a folder that exists.
    """
    if _WHITE.search(text) or not _WORD.search(text):
        return False
    name, _ = split_fields(text)
    path = Path(name).expanduser()
    return (
        text.startswith(PREFIX)
        or path.suffix.lower() in _SUFFIXES
        or path.is_file()
        or ("/" in name and (path.is_dir() or beir_folder(name) is not None))
        or ("*" in name and bool(_fitting(path)))
    )


def _is_id(name: str) -> bool:
    import ir_datasets  # takes half a second

    return name in ir_datasets.registry


def is_collection(source: Source) -> bool:
    """Whether a source has documents, queries and judgements: an id of ir_datasets, or a BEIR folder."""
    return not is_file_name(source) or beir_folder(source) is not None


def several(names: Sequence[str]) -> str:
    """Return one name of several files, folders or patterns, which are one collection.

    Args:
        names: The names; of one that is its own name.

    Raises:
        ArgumentError: If one is an id of ir_datasets, which is a collection of its own.
    """
    for name in names if len(names) > 1 else ():
        if not is_file_name(name):
            raise ArgumentError(
                f"'{name}' is no file, and of several sources each must be one: a file, a folder, a pattern such as "
                "'part-*.jsonl', or hf:NAME. An id of ir_datasets stands alone."
            )
    return names[0] if len(names) == 1 else json.dumps(list(names), ensure_ascii=False)


def names_in(source: str) -> list[str] | None:
    """Return the names that `several` made one of; None of any other name."""
    if not source.startswith('["'):
        return None
    try:
        names = json.loads(source)
    except (ValueError, RecursionError):
        return None
    return names if all(isinstance(name, str) for name in names) else None


def split_fields(source: str) -> tuple[str, Fields]:
    """Return the name of a file, and the fields that are named behind it, ``docs.jsonl?id=docno&text=body``.

    Raises:
        ArgumentError: If the fields make no sense.
    """
    match = _WITH_FIELDS.fullmatch(source)
    if match is None or Path(source).expanduser().is_file():
        return source, NO_FIELDS
    pairs = [(key, value) for key, _, value in (pair.partition("=") for pair in match[2].split("&"))]
    return match[1], parse_fields(pairs, source)


def beir_folder(source: Source) -> BeirFolder | None:
    """Return the BEIR folder that ``folder`` or ``folder/split`` names, its path absolute; None if it is none."""
    if isinstance(source, MemoryTable) or source.startswith(PREFIX) or names_in(source) is not None:
        return None
    name, _ = split_fields(source)
    path = Path(name).expanduser()
    if path.is_file():
        return None
    if path.is_dir():
        return BeirFolder(path.resolve(), None) if _is_beir(path) else None
    # A name alone is no split of the working folder: it is an id of ir_datasets.
    if "/" in name and path.suffix.lower() not in _SUFFIXES and _is_beir(path.parent):
        return BeirFolder(path.parent.resolve(), path.name)
    return None


def _is_beir(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _BEIR_FILES)


def files_of(name: str) -> list[Path]:
    """Return the files that a name means, each by its absolute path: a file, those of a folder, or of a pattern.

    Raises:
        SourceNotFoundError: If there is none; the message names the nearest.
        ArgumentError: If a folder has files of several formats, of which nobody knows which are meant.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return _files_in(path.resolve())
    if _is_pattern(name) and not path.is_file():
        found = sorted(item.resolve() for item in _fitting(path) if item.is_file())
        if not found:
            raise SourceNotFoundError(f"There is no file '{shown(path.absolute())}', and none that fits the pattern.")
        return found
    return [existing(name)]


def _is_pattern(name: str) -> bool:
    return any(letter in name for letter in "*?[")


def _fitting(pattern: Path) -> list[Path]:
    """Return what a pattern fits, folders too."""
    return [Path(item) for item in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207 - it may begin at the root


def _files_in(folder: Path) -> list[Path]:
    """Return the files of data in a folder, which must be of one format."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        kind = (path.with_suffix("") if path.suffix.lower() in PACKINGS else path).suffix.lower()
        if path.is_file() and kind in _FORMATS and not path.name.startswith("."):
            found.setdefault(kind, []).append(path)
    if not found:
        raise SourceNotFoundError(no_beir_folder(str(folder)))
    if len(found) > 1:
        there = ", ".join(f"'{paths[0].name}'" for paths in found.values())
        raise ArgumentError(
            f"The folder '{shown(folder)}' has files of several formats ({there}); name the files, or a pattern such as "
            f"'{shown(folder)}/*{next(iter(found))}'."
        )
    return next(iter(found.values()))


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
    """Return the sentence about a folder that has nothing to read."""
    return (
        f"'{shown(Path(source).expanduser().resolve())}' is a folder, but no BEIR folder: there is neither a corpus.jsonl "
        "nor a queries.jsonl in it, plain or packed, nor is there any other file of data."
    )


def shown(source: Source | Path | HuggingFaceName) -> str:
    """Return a name for messages: of a file within the working folder, the way from there."""
    if isinstance(source, MemoryTable | HuggingFaceName):
        return str(source)
    if isinstance(source, str) and (names := names_in(source)) is not None:
        return " + ".join(map(shown, names)) if len(names) < 4 else f"{shown(names[0])} + {len(names) - 1} more"
    try:
        return str(Path(source).relative_to(Path.cwd()))
    except ValueError:
        return str(source)


def full_name(source: str) -> str:
    """Return a name that opens the same source from any folder and process: the id, or the absolute path."""
    if source.startswith(PREFIX):
        return str(HuggingFaceName.parse(source))
    if (names := names_in(source)) is not None:
        return several([full_name(name) for name in names])
    if not is_file_name(source):
        return portable(source)
    name, fields = split_fields(source)
    path = Path(name).expanduser()
    if _is_pattern(name) and not path.exists():
        # The way to here is no part of the pattern.
        full = str(path) if path.is_absolute() else f"{glob.escape(str(Path.cwd()))}/{path}"
    else:
        full = str(path.resolve())
    return full if fields == NO_FIELDS else f"{full}?{fields}"


def short_name(source: Source) -> str:
    """Return a name for logs: the id, the folder's name and split, or the file's name without its suffixes."""
    if isinstance(source, MemoryTable):
        return source.name
    if not is_file_name(source):
        return source
    if source.startswith(PREFIX):
        path = HuggingFaceName.parse(source).path
        return Path(path).name if path.startswith("/") else path
    if (names := names_in(source)) is not None:
        short = [short_name(name) for name in names]
        return "+".join(short) if len(short) < 4 else f"{short[0]}+{len(short) - 1}"
    if (folder := beir_folder(source)) is not None:
        return folder.path.name if folder.split is None else f"{folder.path.name}/{folder.split}"
    name = Path(split_fields(source)[0]).name
    while Path(name).suffix.lower() in _SUFFIXES:
        name = Path(name).stem
    return name
