"""What a source's name means: a file, or an id of ir_datasets."""

from pathlib import Path

_SUFFIXES = {".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet", ".gz", ".zst", ".run", ".trec", ".qrels"}


def is_file_name(source: str) -> bool:
    """Whether a source is a file: it exists, or its name looks like one."""
    path = Path(source).expanduser()
    return path.is_file() or source.startswith((".", "/", "~")) or path.suffix.lower() in _SUFFIXES


def full_name(source: str) -> str:
    """Return a name that opens the same source from any folder."""
    return str(Path(source).expanduser().resolve()) if is_file_name(source) else source


def short_name(source: str) -> str:
    """Return a name for logs: the id, or the file's name without its suffixes."""
    if not is_file_name(source):
        return source
    name = Path(source).name
    while Path(name).suffix.lower() in _SUFFIXES:
        name = Path(name).stem
    return name
