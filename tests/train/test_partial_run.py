"""A re-ranking that was interrupted goes on where it was, and its run has the bytes of one that was not."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from lightning.pytorch.callbacks import Callback

from lir_data import RunDataset, read_run
from lir_models import CrossEncoderModel
from lir_train import CrossEncoderModule, LightningIRDataModule, LightningIRTrainer, ReRankCallback
from lir_train.errors import NotFiniteError


class Stop(Callback):
    """Counts the queries that are scored, and raises after a batch of them."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.scored: list[str] = []

    def on_predict_batch_end(self, *arguments: Any) -> None:
        """Count or raise."""
        _, _, outputs, _, batch_idx, dataloader_idx = (*arguments, 0)[:6]
        self.scored += outputs.query_ids
        if self.at is not None and (batch_idx, dataloader_idx) == (self.at, 0):
            raise RuntimeError("the power went out")


@pytest.fixture(scope="module")
def model(backbone: Path) -> CrossEncoderModel:
    """A model."""
    return CrossEncoderModel.from_pretrained(backbone, device="cpu")


@pytest.fixture
def re_rank(collection: Path, model: CrossEncoderModel) -> Callable[..., list[str]]:
    """Re-rank, two queries a batch, and return the queries that were scored."""

    def run(
        output: Path, stop_at: int | None = None, runs: Sequence[str] = ("run.trec",), workers: int = 0, **options: Any
    ) -> list[str]:
        names = {"docs": collection / "docs.tsv", "queries": collection / "queries.tsv"}
        datasets = [
            RunDataset(
                str(collection / name), **{"depth": 10, **options}, **{key: str(path) for key, path in names.items()}
            )
            for name in runs
        ]
        stop = Stop(stop_at)
        trainer = LightningIRTrainer(
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            callbacks=[ReRankCallback(output), stop],
        )
        size = 2 * datasets[0].depth
        data = LightningIRDataModule(inference_datasets=datasets, inference_batch_size=size, num_workers=workers)
        if stop_at is None:
            trainer.re_rank(CrossEncoderModule(model=model), data)
        else:
            with pytest.raises(RuntimeError, match="the power went out"):
                trainer.re_rank(CrossEncoderModule(model=model), data)
        return stop.scored

    return run


ALL = [f"q{place}" for place in range(10)]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_was_finished_is_kept_and_the_bytes_are_the_same(re_rank: Any, tmp_path: Path, workers: int) -> None:
    whole, halved = tmp_path / "whole.jsonl", tmp_path / "halved.jsonl"
    assert re_rank(whole) == ALL
    re_rank(halved, stop_at=2, workers=workers)
    assert not halved.exists()
    partial = tmp_path / "halved.jsonl.partial"
    with partial.open("ab") as file:  # as a kill in the middle of a line leaves it
        file.write(partial.read_bytes().splitlines()[1][:-9])
    re_rank(halved, stop_at=0)
    assert re_rank(halved) == ALL[8:]
    assert halved.read_bytes() == whole.read_bytes()
    assert not partial.exists()


def test_a_text_that_was_changed_is_scored_again(re_rank: Any, collection: Path, tmp_path: Path) -> None:
    re_rank(tmp_path / "out.trec", stop_at=2)
    queries = (collection / "queries.tsv").read_text().replace("q4\twhite", "q4\tfive")
    (collection / "queries.tsv").write_text(queries)
    assert re_rank(tmp_path / "out.trec") == ["q4", *ALL[6:]]
    re_rank(tmp_path / "new.trec")
    found, expected = read_run(tmp_path / "out.trec"), read_run(tmp_path / "new.trec")
    assert list(found) == ALL
    assert found["q4"] == pytest.approx(expected["q4"], rel=1e-5)

    re_rank(tmp_path / "other.trec", stop_at=3)
    (collection / "docs.tsv").write_text((collection / "docs.tsv").read_text().replace("d0\tred red", "d0\tone red"))
    assert re_rank(tmp_path / "other.trec") == ALL  # each query has that document


def test_another_re_ranking_begins_anew_and_says_so(
    re_rank: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    re_rank(tmp_path / "out.trec", stop_at=3)
    with caplog.at_level(logging.WARNING, "lir_train"):
        assert re_rank(tmp_path / "out.trec", depth=3) == ALL
    assert "out.trec' before was made otherwise (depth): it begins anew." in caplog.text
    assert [len(docs) for docs in read_run(tmp_path / "out.trec").values()] == [3] * 10


@pytest.mark.parametrize("content", [b"", b"mine\n", b'{"format": "lir-partial-run"}\n'])
def test_a_file_of_others_is_never_touched(re_rank: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out.trec.partial").write_bytes(content)
    re_rank(tmp_path / "out.trec", stop_at=2)
    assert re_rank(tmp_path / "out.trec") == ALL
    assert (tmp_path / "out.trec.partial").read_bytes() == content
    assert list(read_run(tmp_path / "out.trec")) == ALL


def test_where_all_is_done_the_run_is_written(re_rank: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("lir_train.callbacks.write_run", Mock(side_effect=OSError("no space")))
        with pytest.raises(OSError, match="no space"):
            re_rank(tmp_path / "out.trec")
    assert re_rank(tmp_path / "out.trec") == []
    assert list(read_run(tmp_path / "out.trec")) == ALL


def test_several_datasets_go_on_each(re_rank: Any, collection: Path, tmp_path: Path) -> None:
    lines = (collection / "run.trec").read_text().splitlines(keepends=True)
    (collection / "other.trec").write_text("".join(lines[:40]))
    re_rank(tmp_path / "runs", stop_at=1, runs=("run.trec", "other.trec"))
    assert re_rank(tmp_path / "runs", runs=("run.trec", "other.trec")) == [*ALL[4:], *ALL[:4]]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["other.trec", "run.trec"]
    assert list(read_run(tmp_path / "runs" / "other.trec")) == ALL[:4]


def test_without_a_run_nothing_is_kept(
    collection: Path, re_rank: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    re_rank(None, stop_at=2)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_model_without_finite_scores_is_named_and_nothing_is_written(
    re_rank: Any, model: CrossEncoderModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = type(model).score

    def broken(self: Any, *arguments: Any, **options: Any) -> Any:
        output = score(self, *arguments, **options)
        output.scores[13] = float("nan")
        return output

    monkeypatch.setattr(type(model), "score", broken)
    with pytest.raises(NotFiniteError, match=r"backbone' gives the query 'q1' and the document 'd\d' the score nan"):
        re_rank(tmp_path / "out.trec")
    assert not (tmp_path / "out.trec").exists()
