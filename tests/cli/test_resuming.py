"""An interrupted `lir index` goes on only with the documents that it had; whatever happened, repeating the command helps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lir = Callable[..., Any]
MALFORMED = "this line has no tab\n"
LINES = [f"d{number}\tred number {number}\n" for number in range(20)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def index(lir: Lir) -> Lir:
    """Index files by BM25, a few documents at a time."""

    def run(*paths: str, arguments: tuple[Any, ...] = ()) -> Any:
        Path("lir.yaml").write_text(
            "data: {class_path: LightningIRDataModule, init_args: {inference_batch_size: 4, inference_datasets: ["
            + ", ".join(f"{{class_path: DocDataset, init_args: {{doc_dataset: {path}}}}}" for path in paths)
            + "]}}\n"
        )
        return lir("index", "--type", "bm25", "--config", "lir.yaml", "--index", "idx", *arguments)

    return run


def write(path: str, lines: list[str]) -> None:
    Path(path).write_text("".join(lines))


def ids() -> list[str]:
    from lir_index import Index

    return list(Index.open("idx").doc_ids)


ALL = [f"d{number}" for number in range(20)]
ANEW = "The documents are not those that were encoded before. All documents are encoded anew."


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what lir-index has to say."""
    return [record.getMessage() for record in caplog.records if record.name == "lir_index"]


def interrupt(index: Lir, lines: list[str] = LINES) -> None:
    """Index lines of which the sixteenth is malformed; eight documents are done then."""
    write("docs.tsv", [*lines[:15], MALFORMED, *lines[15:]])
    assert index("docs.tsv").code == 1
    write("docs.tsv", lines)


def test_the_documents_that_were_done_are_not_done_again(index: Lir) -> None:
    interrupt(index)
    done = index("docs.tsv")
    assert done.code == 0, done.err
    assert "8 documents were done before; going on from there.\nindex: 12 docs in" in done.err
    assert ids() == ALL
    assert not Path("idx/parts").exists()


CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "the first five are gone": lambda lines: lines[5:],
    "one is new in the middle": lambda lines: [*lines[:3], "new\tred\n", *lines[3:]],
    "a text has changed": lambda lines: [*lines[:3], "d3\tgreen\n", *lines[4:]],
    "an id has changed": lambda lines: [*lines[:3], "x3\tred number 3\n", *lines[4:]],
    "the order has changed": lambda lines: [lines[1], lines[0], *lines[2:]],
    "fewer than were done are left": lambda lines: lines[:3],
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_documents_are_all_encoded_anew(index: Lir, change: str, caplog: pytest.LogCaptureFixture) -> None:
    from lir_index import Index

    interrupt(index)
    changed = CHANGES[change](LINES)
    write("docs.tsv", changed)
    done = index("docs.tsv")
    assert done.code == 0, done.err
    assert said(caplog) == [ANEW]
    assert ids() == [line.split("\t")[0] for line in changed]
    green = Index.open("idx").search(["green"], 3).doc_ids[0]
    assert green == (["d3"] if change == "a text has changed" else [])


def test_documents_that_are_appended_are_indexed_too(index: Lir, caplog: pytest.LogCaptureFixture) -> None:
    interrupt(index)
    write("docs.tsv", [*LINES, "d20\tred\n"])
    assert "8 documents were done before" in index("docs.tsv").err
    assert ids() == [*ALL, "d20"]
    assert not said(caplog)


def test_documents_that_were_moved_are_still_the_same(index: Lir) -> None:
    from lir_index import Index

    interrupt(index)
    Path("docs.tsv").rename("moved.tsv")
    assert "8 documents were done before" in index("moved.tsv").err
    assert (ids(), Index.open("idx").metadata["documents"]) == (ALL, str(Path("moved.tsv").resolve()))


def test_other_fields_are_other_documents(lir: Lir, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f'{{"id": "d{n}", "title": "t{n}", "text": "red"}}\n' for n in range(10))
    Path("docs.jsonl").write_text(rows + "nonsense\n")
    command = ("index", "--type", "bm25", "--docs", "docs.jsonl", "--index", "idx", "--batch-size", 2)
    assert lir(*command).code == 1
    Path("docs.jsonl").write_text(rows)
    fields = ("--data.init_args.inference_datasets.0.init_args.text_fields", "[title]")
    assert lir(*command, *fields).code == 0
    assert said(caplog) == [ANEW]


@pytest.mark.parametrize("windows", [2, 1])
def test_passages_go_on_if_they_are_cut_alike(lir: Lir, windows: int, caplog: pytest.LogCaptureFixture) -> None:
    write("docs.tsv", [*LINES[:15], MALFORMED])
    command = ("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "idx", "--batch-size", 4)
    assert lir(*command, "--passage-length", 2).code == 1
    write("docs.tsv", LINES)
    assert lir(*command, "--passage-length", windows).code == 0
    assert said(caplog) == ([] if windows == 2 else [ANEW])
    assert len(ids()) == (40 if windows == 2 else 60)


def test_a_duplicate_is_named_before_the_rest_is_read(index: Lir) -> None:
    write("docs.tsv", [*LINES[:10], LINES[2], *LINES[10:], MALFORMED])
    failed = index("docs.tsv")
    assert failed.code == 1
    assert "The document id 'd2' occurs twice, as documents 3 and 11." in failed.err
    write("docs.tsv", LINES)
    assert index("docs.tsv").code == 0
    assert ids() == ALL


def test_a_duplicate_of_what_was_done_before_is_named(index: Lir) -> None:
    interrupt(index)
    write("docs.tsv", [*LINES, LINES[2]])
    assert "The document id 'd2' occurs twice, as documents 3 and 21." in index("docs.tsv").err


def test_of_two_datasets_the_first_is_done_and_the_second_goes_on(index: Lir) -> None:
    write("a.tsv", LINES[:7])
    write("b.tsv", [*LINES[7:19], MALFORMED])
    assert index("a.tsv", "b.tsv").code == 1
    write("b.tsv", LINES[7:])
    done = index("a.tsv", "b.tsv")
    assert done.code == 0, done.err
    assert "15 documents were done before; going on from there.\nindex: 5 docs in" in done.err
    assert ids() == ALL


def test_of_three_datasets_the_first_is_interrupted(index: Lir) -> None:
    write("a.tsv", [*LINES[:11], MALFORMED])
    write("b.tsv", LINES[12:15])
    write("c.tsv", LINES[15:])
    assert index("a.tsv", "b.tsv", "c.tsv").code == 1
    write("a.tsv", LINES[:12])
    assert index("a.tsv", "b.tsv", "c.tsv").code == 0
    assert ids() == ALL


def test_an_index_whose_parts_are_left_is_tidied_up(index: Lir, monkeypatch: pytest.MonkeyPatch) -> None:
    from lir_index import callbacks

    write("docs.tsv", LINES)

    def killed(folder: Path) -> None:
        (folder / "rank-00000-part-000000.safetensors").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "remove_parts", killed)
        assert index("docs.tsv").code != 0
    before = Path("idx/index.json").read_bytes()
    Path("idx/verified.json").rename("idx/verified.json.0123abcd.tmp")
    assert Path("idx/parts").exists()
    done = index("docs.tsv")
    assert done.code == 0, done.err
    assert "The index is in idx" in done.err
    assert sorted(path.name for path in Path("idx").iterdir()) == ["index.json", "segment-1"]
    assert Path("idx/index.json").read_bytes() == before


@pytest.mark.parametrize("arguments", [(), ("--overwrite",)])
def test_an_index_of_other_documents_is_none_that_was_finished(
    index: Lir, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lir_index import callbacks

    write("docs.tsv", LINES)
    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "remove_parts", _interrupted)
        assert index("docs.tsv").code != 0
    write("docs.tsv", LINES[1:])
    done = index("docs.tsv", arguments=arguments)
    if arguments:
        assert (done.code, ids()) == (0, ALL[1:])
    else:
        assert (done.code, ids()) == (1, ALL)
        assert "There is an index in 'idx' already" in done.err


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("arguments", [(), ("--overwrite",)])
@pytest.mark.parametrize("gone", ["idx", "idx/parts", "idx/parts/parts.json"])
def test_a_folder_that_is_removed_meanwhile_is_named_at_once(
    index: Lir, gone: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from lir_index.parts import PartWriter

    append, calls = PartWriter.append, []

    def removing(self: PartWriter, *arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            self.flush()
            shutil.rmtree(gone) if Path(gone).is_dir() else Path(gone).unlink()
        append(self, *arguments)

    write("docs.tsv", LINES)
    with monkeypatch.context() as patched:
        patched.setattr(PartWriter, "append", removing)
        failed = index("docs.tsv", arguments=arguments)
    assert failed.code == 1
    assert "Error: 'idx/parts' is gone" in failed.err
    assert len(calls) == 2
    done = index("docs.tsv", arguments=arguments)
    assert (done.code, ids()) == (0, ALL), done.err


def test_damaged_parts_are_begun_anew(index: Lir, caplog: pytest.LogCaptureFixture) -> None:
    interrupt(index)
    part = Path("idx/parts/rank-00000-part-000000.safetensors")
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    assert index("docs.tsv").code == 0
    (sentence,) = said(caplog)
    assert "is damaged: its checksum is" in sentence
    assert sentence.endswith("All documents are encoded anew.")
    assert ids() == ALL


def test_a_folder_that_another_process_changes_is_refused_before_any_work(index: Lir) -> None:
    from lir_index.locks import FolderLock

    write("docs.tsv", LINES)
    with FolderLock(Path("idx")):
        failed = index("docs.tsv")
    assert failed.code == 1
    assert "Error: Another process is changing the index in 'idx'." in failed.err
    assert not list(Path("idx").iterdir())
    assert index("docs.tsv").code == 0


def test_nobody_else_changes_the_index_while_documents_are_encoded(index: Lir, monkeypatch: pytest.MonkeyPatch) -> None:
    from lir_index.errors import BusyIndexError
    from lir_index.locks import check_free
    from lir_index.parts import PartWriter

    append, seen = PartWriter.append, []

    def asking(self: PartWriter, *arguments: Any) -> None:
        with pytest.raises(BusyIndexError):
            check_free(Path("idx"))
        seen.append(arguments)
        append(self, *arguments)

    monkeypatch.setattr(PartWriter, "append", asking)
    write("docs.tsv", LINES)
    assert index("docs.tsv").code == 0
    assert len(seen) == 5
    check_free(Path("idx"))
