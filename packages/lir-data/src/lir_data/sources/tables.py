"""Local files of documents, queries and tuples: tsv and jsonl, plain or gzipped."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from lir_data.errors import MalformedLineError, SourceNotFoundError

_DOC_ID = ("doc_id", "_id", "id", "docid", "docno")
_QUERY_ID = ("query_id", "_id", "id", "qid")
_TEXT = ("text", "contents", "body", "passage")


def existing(source: str) -> Path:
    """Return the path of a file.

    Raises:
        SourceNotFoundError: If it is not there.
    """
    path = Path(source).expanduser()
    if not path.is_file():
        raise SourceNotFoundError(f"There is no file '{source}'.")
    return path


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacking .gz."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # pyright: ignore[reportReturnType]


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not empty.

    Raises:
        MalformedLineError: If a line is no UTF-8, or the file is no gzip.
    """
    number = 0
    try:
        with open_binary(path) as file:
            for number, line in enumerate(file, start=1):
                if text := line.decode("utf-8").rstrip("\r\n"):
                    yield number, text
    except UnicodeDecodeError as error:
        raise MalformedLineError(f"{path}, line {number}: it is no UTF-8 ({error.reason}).") from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise MalformedLineError(f"{path}, after line {number}: the gzip file is damaged ({error}).") from None


def is_jsonl(path: Path) -> bool:
    """Whether a file's name says jsonl; anything else is tsv."""
    return any(suffix in (".jsonl", ".json", ".ndjson") for suffix in path.suffixes)


def json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    """Parse one line of a jsonl file."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise MalformedLineError(f"{path}, line {number}: it is no JSON ({error.msg}, column {error.colno}).") from None
    if not isinstance(value, dict):
        raise MalformedLineError(f"{path}, line {number}: it is {type(value).__name__}, not a JSON object.")
    return value


def doc_parser(path: Path, text_fields: Sequence[str] | None) -> Callable[[int, str], tuple[str, str]]:
    """Return what turns a line of a documents file into id and text."""

    def parse(number: int, line: str) -> tuple[str, str]:
        if not is_jsonl(path):
            return _id_and_text(path, number, line)
        values = json_object(path, number, line)
        return _field(path, number, values, _DOC_ID, "id"), _doc_text(path, number, values, text_fields)

    return parse


def read_queries(path: Path) -> Iterator[tuple[str, str]]:
    """Yield id and text of each query."""
    for number, line in numbered_lines(path):
        if is_jsonl(path):
            values = json_object(path, number, line)
            yield _field(path, number, values, _QUERY_ID, "id"), _field(path, number, values, (*_TEXT, "query"), "text")
        else:
            yield _id_and_text(path, number, line)


def _id_and_text(path: Path, number: int, line: str) -> tuple[str, str]:
    name, tab, text = line.partition("\t")
    if not tab:
        raise MalformedLineError(f"{path}, line {number}: there is no tab; a line is an id, a tab and the text.")
    return name, text.replace("\t", " ")


def _field(path: Path, number: int, values: Mapping[str, Any], names: Sequence[str], what: str) -> str:
    for name in names:
        if values.get(name) is not None:
            return str(values[name])
    raise MalformedLineError(
        f"{path}, line {number}: there is no {what}; one of the keys {', '.join(names)} is needed."
    )


def _doc_text(path: Path, number: int, values: Mapping[str, Any], text_fields: Sequence[str] | None) -> str:
    if text_fields is None:
        # As ir_datasets does for collections with titles.
        text = _field(path, number, values, _TEXT, "text")
        return f"{values['title']} {text}" if values.get("title") else text
    for field in text_fields:
        if field not in values:
            keys = ", ".join(values)
            raise MalformedLineError(f"{path}, line {number}: there is no field '{field}'; there are {keys}.")
    return " ".join(str(values[field]) for field in text_fields)
