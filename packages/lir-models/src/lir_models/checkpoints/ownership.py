"""What lir may replace or remove where models are saved: only what carries its own marks, whatever it is called.

A folder is a model that lir saved if it has a ``lir.json`` of lir's and otherwise nothing but files that `save_pretrained`
and ``lir train`` write. Links are never followed. Nothing else in lir-models, lir-train and lir-cli removes or replaces
anything; a test sees to that.
"""

import ctypes
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from lir_models.errors import ForeignFolderError

_MARK = "lir.json"
_FILE = re.compile(
    "|".join(
        (
            r"lir(_query)?(_heads)?\.(json|safetensors)|README\.md|train\.yaml",
            r"(config|generation_config|processor_config|preprocessor_config)\.json",
            r"(adapter_)?model(-[0-9]{5}-of-[0-9]{5})?\.safetensors(\.index\.json)?|adapter_config\.json",
            # Tokenizers, as transformers' classes name what they save.
            r"(tokenizer|tokenizer_config|special_tokens_map|added_tokens|normalizer|byte_maps|emoji)\.json",
            r"(entity_vocab|target_vocab|vocab-tgt|vocab-src|word_shape|word_pronunciation)\.json",
            r"vocab\.(txt|json)|merges\.txt|dict\.txt|bpe\.codes|prophetnet\.tokenizer|.+\.jinja",
            r"(spiece|sentencepiece|sentencepiece\.bpe|tokenizer|spm|spm_char)\.model",
            # sentence-transformers and PyLate.
            r"(modules|config_sentence_transformers|sentence_bert_config|router_config)\.json|artifact\.metadata",
        )
    )
)
_FOLDER = re.compile(r"[0-9]+_[A-Za-z]+|(query|document|doc)_[0-9]+_[A-Za-z]+|query_encoder|additional_chat_templates")

# A temporary folder of ours, beside what is being written: the target's name, the process, and what is in it.
_TEMPORARY = re.compile(r"\.(.+)\.([0-9]+)\.[a-z0-9_]{8}")
_TEMPORARY_MARK = "written-by-lir"
_PREVIOUS = "previous"


def check_replaceable(folder: Path) -> None:
    """Refuse a place where something would be lost that lir did not put there.

    Args:
        folder: Where a model is to be saved; it may be missing, or empty.

    Raises:
        ForeignFolderError: If it is anything but a model that lir saved; the message names what is not lir's.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink():
        raise ForeignFolderError(f"'{folder}' is a link, and is not replaced.", hint="name the folder that it leads to")
    if not folder.is_dir():
        raise ForeignFolderError(f"'{folder}' is a file, and a model is a folder.")
    if not any(folder.iterdir()):
        return
    if not _is_marked(folder):
        raise ForeignFolderError(
            f"'{folder}' holds no model that lir saved (it has no {_MARK}), and is not replaced.",
            hint="name another folder, or remove it yourself",
        )
    foreign = _foreign(folder)
    if foreign is not None:
        raise ForeignFolderError(
            f"'{folder}' holds more than a model that lir saved, for instance '{foreign.relative_to(folder)}', "
            "and is not replaced.",
            hint="name another folder, or move that file",
        )


def remove_model(folder: Path) -> None:
    """Remove a model that lir saved, or a link to one, so that at no time a part of it is there.

    Raises:
        ForeignFolderError: If it is anything else; all of it stays.
    """
    if folder.is_symlink():
        folder.unlink()
        return
    check_replaceable(folder)
    if folder.is_dir():
        with temporary_folder(folder) as hidden:
            folder.rename(hidden / _PREVIOUS)


def remove_file(path: Path) -> None:
    """Remove a file or a link that lir wrote; without effect where there is none."""
    path.unlink(missing_ok=True)


def replace_file(written: Path, path: Path) -> None:
    """Let a file that lir has just written take the place of the one before, at once."""
    written.replace(path)


def replace_model(written: Path, folder: Path) -> None:
    """Let a folder inside a `temporary_folder` take the place of a model that lir saved, if there is one.

    On Linux at no time neither is there; elsewhere the next `temporary_folder` puts back what was there.
    """
    if not folder.exists():
        written.rename(folder)
    elif not _exchanged(written, folder):
        folder.rename(written.with_name(_PREVIOUS))
        written.rename(folder)


@contextmanager
def temporary_folder(target: Path) -> Generator[Path]:
    """Give a folder beside a target, and remove it afterwards, with those that killed processes left there."""
    sweep(target.parent)
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.{os.getpid()}."))
    try:
        (folder / _TEMPORARY_MARK).touch()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_temporary(path: Path) -> bool:
    """Whether a path is a `temporary_folder`, of a process that is running or was killed."""
    if not _TEMPORARY.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
        return False
    return (path / _TEMPORARY_MARK).is_file() or not any(path.iterdir())


def sweep(folder: Path) -> None:
    """Remove what killed processes left of models that they were writing in a folder."""
    for path in folder.iterdir():
        matched = _TEMPORARY.fullmatch(path.name)
        if matched is None or not is_temporary(path) or is_running(int(matched[2])):
            continue
        target, previous = folder / matched[1], path / _PREVIOUS
        with suppress(OSError):
            if previous.is_dir() and (path / target.name).is_dir() and not os.path.lexists(target):
                previous.rename(target)  # killed between the two renames of a replacement
            shutil.rmtree(path)


def is_running(process: int) -> bool:
    """Whether a process of this machine is running."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _is_marked(folder: Path) -> bool:
    try:
        values = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and "format_version" in values and "kind" in values


def _foreign(folder: Path) -> Path | None:
    """Return something in a folder that lir does not write, if there is anything."""
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and _FILE.fullmatch(path.name):
            continue
        if not stat.S_ISDIR(mode) or not _FOLDER.fullmatch(path.name):
            return path
        if (inner := _foreign(path)) is not None:
            return inner
    return None


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders at once, where the system can."""
    try:
        exchange = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):
        return False
    here, exchanging = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return exchange(here, os.fsencode(one), here, os.fsencode(other), exchanging) == 0
