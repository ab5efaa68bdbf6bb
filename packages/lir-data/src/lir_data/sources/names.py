"""What a source's name means: a file, or an id of ir_datasets."""

from difflib import get_close_matches
from pathlib import Path

from lir_data.errors import SourceNotFoundError

# No id of ir_datasets ends in one of these.
_SUFFIXES = {".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet", ".gz", ".zst", ".run", ".trec", ".qrels"}


def is_file_name(source: str) -> bool:
    """Whether a source is a file: one that exists, or a name that looks like one."""
    path = Path(source).expanduser()
    return path.is_file() or source.startswith((".", "/", "~")) or path.suffix.lower() in _SUFFIXES


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


def shown(source: str | Path) -> str:
    """Return a name for messages: of a file within the working folder, the way from there."""
    try:
        return str(Path(source).relative_to(Path.cwd()))
    except ValueError:
        return str(source)


def full_name(source: str) -> str:
    """Return a name that opens the same source from any folder: the id, or the absolute path."""
    return str(Path(source).expanduser().resolve()) if is_file_name(source) else source


def short_name(source: str) -> str:
    """Return a name for logs: the id, or the file's name without its suffixes."""
    if not is_file_name(source):
        return source
    name = Path(source).name
    while Path(name).suffix.lower() in _SUFFIXES:
        name = Path(name).stem
    return name
