"""What a source's name means: a file, a dataset of Hugging Face, or an id of ir_datasets."""

from pathlib import Path

from lir_data.errors import SourceNotFoundError
from lir_data.sources.hugging_face import PREFIX, HuggingFaceName

# No id of ir_datasets ends in one of these.
_SUFFIXES = {".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet", ".gz", ".zst", ".run", ".trec", ".qrels"}


def is_file_name(source: str) -> bool:
    """Whether a source is no id of ir_datasets: a file that exists, a name that looks like one, or ``hf:NAME``."""
    if source.startswith(PREFIX):
        return True
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
        raise SourceNotFoundError(f"There is no file '{shown(path)}'.")
    return path


def shown(source: str | Path | HuggingFaceName) -> str:
    """Return a name for messages: of a file within the working folder, the way from there."""
    if isinstance(source, HuggingFaceName):
        return str(source)
    try:
        return str(Path(source).relative_to(Path.cwd()))
    except ValueError:
        return str(source)


def full_name(source: str) -> str:
    """Return a name that opens the same source from any folder: the id, or the absolute path."""
    if source.startswith(PREFIX):
        return str(HuggingFaceName.parse(source))
    return str(Path(source).expanduser().resolve()) if is_file_name(source) else source


def short_name(source: str) -> str:
    """Return a name for logs: the id, or the file's name without its suffixes."""
    if not is_file_name(source):
        return source
    if source.startswith(PREFIX):
        path = HuggingFaceName.parse(source).path
        return Path(path).name if path.startswith("/") else path
    name = Path(source).name
    while Path(name).suffix.lower() in _SUFFIXES:
        name = Path(name).stem
    return name
