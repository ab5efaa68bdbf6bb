"""Training sets beside the catalogue, from files as their authors publish them."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from lir_data import RunDataset, TupleDataset
from lir_data.errors import LirDataError, MissingPartError, UnreadableSourceError
from lir_data.sources import external

PREFIX = "msmarco-passage/train/"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of ir_datasets, with four passages and two queries in place of MS MARCO's."""
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    (tmp_path / "docs.tsv").write_text("".join(f"{number}\tpassage {number}\n" for number in range(4)))
    (tmp_path / "queries.tsv").write_text("10\tfirst\n11\tsecond\n")
    (tmp_path / "qrels.txt").write_text("10 0 1 1\n")
    (tmp_path / "home" / PREFIX).mkdir(parents=True)
    return tmp_path / "home" / PREFIX


def texts(home: Path) -> dict[str, str]:
    folder = home.parents[2]
    return {"docs": str(folder / "docs.tsv"), "queries": str(folder / "queries.tsv")}


def tuples(home: Path, name: str, **options: Any) -> list[tuple[object, ...]]:
    dataset = TupleDataset(PREFIX + name, **texts(home), **options)
    return [(sample.query, sample.doc_ids, sample.docs, sample.targets) for sample in dataset]


@pytest.mark.parametrize("name", ["colbert-docpairs", "colbert-64way"])
def test_colberts_tuples_have_the_scores_of_their_teacher(home: Path, name: str) -> None:
    (home / "colbert_64way.json").write_text("[10, [1, 9.5], [2, -3], [3, 0]]\n[11, [3, 1], [0, 0.5]]\n")
    assert tuples(home, name, targets="score", num_docs=2) == [
        ("first", ("1", "2"), ("passage 1", "passage 2"), (9.5, -3.0)),
        ("second", ("3", "0"), ("passage 3", "passage 0"), (1.0, 0.5)),
    ]


@pytest.mark.parametrize("gap", ["\t", " "])
def test_pairs_of_the_ensemble_have_both_scores(home: Path, gap: str) -> None:
    line = gap.join(["9.5", "-3.25", "10", "1", "2"])
    (home / "bert_cat_ensemble_msmarcopassage_train_scores_ids.tsv").write_text(f"{line}\n")
    docs = ("passage 1", "passage 2")
    assert tuples(home, "kd-docpairs", targets="score") == [("first", ("1", "2"), docs, (9.5, -3.25))]
    assert tuples(home, "kd-docpairs") == [("first", ("1", "2"), docs, (1.0, 0.0))]


MINED = (
    '{"qid": 10, "pos": [1], "neg": {"bm25": [2, 3], "msmarco-MiniLM-L-6-v3": [3, 0, 1]}}\n'
    '{"qid": 11, "pos": [], "neg": {"bm25": [2]}}\n'
)


@pytest.mark.parametrize(
    ("name", "docs"),
    [
        ("sbert-docpairs", ("1", "2", "3", "0")),
        ("sbert-bm25-docpairs", ("1", "2", "3")),
        ("sbert-msmarco-MiniLM-L-6-v3-docpairs", ("1", "3", "0")),
        ("sbert-msmarco-distilbert-base-v3-docpairs", ("1",)),
    ],
)
def test_mined_negatives_come_once_and_only_for_queries_with_a_relevant_document(
    home: Path, name: str, docs: tuple[str, ...]
) -> None:
    with gzip.open(home / "sbert-docpairs.jsonl.gz", "wt") as file:
        file.write(MINED)
    assert [(query, doc_ids) for query, doc_ids, *_ in tuples(home, name)] == [("first", docs)]


def test_what_is_drawn_of_mined_negatives_has_its_own_scores(home: Path) -> None:
    docs = ", ".join(f'{{"pid": {number}, "ce-score": {number}.5}}' for number in (2, 3))
    (home / "sbert-docpairs.jsonl").write_text(
        f'{{"qid": 10, "pos": [{{"pid": 1, "ce-score": 1.5}}], "neg": {{"bm25": [{docs}]}}}}\n'
    )
    (item,) = tuples(home, "sbert-bm25-docpairs", targets="score", num_docs=2)
    assert item[3] == tuple(float(doc_id) + 0.5 for doc_id in item[1])


@pytest.mark.parametrize("name", ["rank-distillm-set-encoder", "rank-distillm/set-encoder"])
@pytest.mark.parametrize("packed", [True, False])
def test_rankings_of_rank_distillm_are_runs(home: Path, name: str, packed: bool) -> None:
    run = "10 Q0 2 1 5.5 x\n10 Q0 1 2 4 x\n"
    if packed:
        (home / "rank-distillm-set-encoder.run.gz").write_bytes(gzip.compress(run.encode()))
    else:
        (home / "rank-distillm-set-encoder.run").write_text(run)
    options = {"qrels": str(home.parents[2] / "qrels.txt"), "targets": "score"}
    (sample,) = RunDataset(PREFIX + name, **texts(home), **options)
    assert (sample.query, sample.doc_ids, sample.targets) == ("first", ("2", "1"), (5.5, 4.0))


def test_texts_are_those_of_ms_marco(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = TupleDataset(PREFIX + "kd-docpairs")
    assert (dataset._documents._id, dataset._queries.source) == ("msmarco-passage", "msmarco-passage/train")
    assert (dataset.name, dataset.source) == (PREFIX + "kd-docpairs", PREFIX + "kd-docpairs")


def test_a_download_that_fails_says_where_the_file_is_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("ir_datasets.util.RequestsDownload.stream", refuse)
    with pytest.raises(
        UnreadableSourceError,
        match=r"'.*kd-docpairs' could not be downloaded from https://zenodo.*ConnectionError: no network",
    ) as raised:
        list(TupleDataset(PREFIX + "kd-docpairs", **texts(home)))
    assert raised.value.hint == (
        f"download it yourself, and put it here: {home / 'bert_cat_ensemble_msmarcopassage_train_scores_ids.tsv'}"
    )


def test_a_download_with_another_checksum_is_not_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import contextlib
    import io

    monkeypatch.setattr(
        "ir_datasets.util.RequestsDownload.stream", lambda self: contextlib.nullcontext(io.BytesIO(b"an error page"))
    )
    with pytest.raises(UnreadableSourceError, match="could not be downloaded"):
        list(TupleDataset(PREFIX + "kd-docpairs", **texts(home)))
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (TupleDataset, "rank-distillm-colbert", "holds rankings, not tuples; read it with RunDataset"),
        (RunDataset, "kd-docpairs", "holds tuples, not rankings; read it with TupleDataset"),
    ],
)
def test_a_set_of_the_other_kind_is_a_sentence(kind: type, name: str, message: str) -> None:
    with pytest.raises(MissingPartError, match=message):
        kind(PREFIX + name)


def test_a_wrong_line_of_a_set_is_named(home: Path) -> None:
    (home / "colbert_64way.json").write_text("[10, [1, 2]]\n[10]\n")
    with pytest.raises(LirDataError, match=r"colbert_64way\.json, line 2: there is no document"):
        tuples(home, "colbert-64way")


def test_every_set_is_complete_and_no_id_means_two() -> None:
    sets = set(external._sets().values())
    names = [name for entry in sets for name in entry.ids]
    assert len(names) == len(set(names)) == len(external._sets())
    for entry in sets:
        assert entry.is_run or entry.tuples.parse
        assert entry.url.startswith("https://")
        assert len(bytes.fromhex(entry.md5)) == 16
