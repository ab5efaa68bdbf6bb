"""An index keeps by which model and rule it was made, and is searched by them."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lir_cli.query_encoder import rule_of
from lir_data import read_run
from lir_index import Index
from lir_models import BiEncoderConfig, BiEncoderModel, SpladeConfig

Lir = Callable[..., Any]
SPLADE = """
model:
  class_path: BiEncoderModule
  init_args:
    config:
      class_path: SpladeConfig
      init_args: {query_length: 16, query_pooling_strategy: sum}
"""
INDEX = ("--docs", "docs.tsv", "--index", "idx")


def ids(out: str) -> list[str]:
    return [line.split("\t")[2] for line in out.splitlines()[1:]]


def test_a_rule_that_was_given_while_indexing_is_that_of_every_search(
    lir: Lir, collection: Path, masked_lm: Path
) -> None:
    Path("splade.yaml").write_text(SPLADE)
    assert lir("index", "--config", "splade.yaml", "--model", masked_lm, *INDEX).code == 0
    kept = Index.open("idx").metadata["rule"]
    assert kept is not None
    assert (kept["family"], kept["query_pooling_strategy"]) == ("SpladeConfig", "sum")
    answer = lir("search", "--index", "idx", "two", "-k", 3)
    assert (answer.code, answer.err) == (0, "")
    config = SpladeConfig(query_length=16, query_pooling_strategy="sum")
    model = BiEncoderModel.from_pretrained(masked_lm, config)
    docs = [line.split("\t")[1] for line in Path("docs.tsv").read_text().splitlines()]
    assert ids(answer.out) == [f"d{document.index}" for document in model.rank("two", docs, 3)]
    searched = lir("search", "--index", "idx", "--queries", "queries.tsv", "-k", 3, "--run", "run.trec")
    assert searched.code == 0
    query = next(line.split("\t")[0] for line in Path("queries.tsv").read_text().splitlines() if line.endswith("\ttwo"))
    assert list(read_run("run.trec")[query]) == ids(answer.out)


def test_a_query_at_the_terminal_is_answered_beside_a_configuration(
    lir: Lir, collection: Path, masked_lm: Path
) -> None:
    Path("splade.yaml").write_text(SPLADE)
    lir("index", "--config", "splade.yaml", "--model", masked_lm, *INDEX)
    expected = lir("search", "--index", "idx", "two", "-k", 3)
    for more in (
        ("--config", "splade.yaml"),
        ("--config", "splade.yaml", "--model", masked_lm),
        ("--trainer.devices=1",),
        ("--trainer.devices", 1),
    ):
        found = lir("search", "--index", "idx", *more, "two", "-k", 3)
        assert (found.code, found.out) == (0, expected.out), found.err
    other = lir("search", "--index", "idx", "two", "--model.config", '{"class_path": "SpladeConfig"}')
    assert other.code == 1
    assert "built with the model" in other.err
    assert "hint: --allow-other-model" in other.err
    unknown = lir("search", "--index", "idx", "two", "--modle", "x")
    assert "There is no option '--modle' here. Did you mean '--model'?" in unknown.err


def test_a_search_config_is_obeyed_beside_a_query_at_the_terminal(lir: Lir, collection: Path, backbone: Path) -> None:
    lir("index", "--model", backbone, *INDEX)
    Path("search.yaml").write_text(
        "trainer: {callbacks: [{class_path: SearchCallback, init_args: {index_dir: idx, search_config: "
        "{class_path: FaissSearchConfig, init_args: {k: 4}}}}]}"
    )
    assert len(ids(lir("search", "--config", "search.yaml", "two").out)) == 4
    assert len(ids(lir("search", "--config", "search.yaml", "two", "-k", 2).out)) == 2


def test_a_model_that_is_somewhere_else_now_is_named_and_checked(
    lir: Lir, collection: Path, backbone: Path, masked_lm: Path
) -> None:
    shutil.copytree(backbone, "model")
    lir("index", "--model", "model", *INDEX)
    Path("model").rename("moved")
    for more in (("two",), ("--queries", "queries.tsv", "--run", "run.trec", "--overwrite")):
        gone = lir("search", "--index", "idx", *more)
        assert gone.code == 2
        assert f"made by the model in '{collection / 'model'}', and there is no such folder any more" in gone.err
        assert "hint: --model FOLDER says where it is now" in gone.err
        assert lir("search", "--index", "idx", *more, "--model", "moved").code == 0
        other = lir("search", "--index", "idx", *more, "--model", masked_lm)
        assert other.code == 1
        assert "built with the model" in other.err


@pytest.mark.parametrize("rule", [{"family": "NoSuchConfig"}, {"family": "SpladeConfig", "query_length": "a"}])
def test_a_rule_of_a_stranger_is_checked(lir: Lir, collection: Path, backbone: Path, rule: dict[str, Any]) -> None:
    lir("index", "--model", backbone, *INDEX)
    path = Path("idx/index.json")
    values = json.loads(path.read_text()) | {"rule": rule}
    told = {name: value for name, value in values.items() if name not in ("format", "checksum")}
    values["checksum"] = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(values))
    found = lir("search", "--index", "idx", "two")
    assert found.code == 1
    assert "The index in 'idx' holds a rule that cannot be read: " in found.err
    assert "Traceback" not in found.err


def test_a_rule_that_the_model_says_itself_is_not_given_again(lir: Lir, collection: Path, backbone: Path) -> None:
    BiEncoderModel.from_pretrained(backbone, BiEncoderConfig(embedding_dim=8)).save_pretrained("model")
    lir("index", "--model", "model", *INDEX)
    index = Index.open("idx")
    assert rule_of(index, "model", allow_other_model=False) is None
    assert rule_of(index, str(backbone), allow_other_model=False) is not None
    assert lir("search", "--index", "idx", "two").code == 0


def test_an_interrupted_indexing_of_a_checkpoint_without_a_pooler_goes_on(
    lir: Lir, collection: Path, masked_lm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint with a masked-language-model head, and no pooler, was another model at each load."""
    from lir_index.parts import PartWriter

    calls = []
    append = PartWriter.append

    def stopped(self: Any, *arguments: Any) -> None:
        append(self, *arguments)
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(PartWriter, "append", stopped)
    assert lir("index", "--model", masked_lm, *INDEX, "--batch-size", 4).code != 0
    again = lir("index", "--model", masked_lm, *INDEX, "--batch-size", 4)
    assert again.code == 0, again.err
    assert lir("search", "--index", "idx", "two").code == 0
