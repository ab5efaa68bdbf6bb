"""Hard negatives beside those of sentence-transformers, of the same scores."""

from pathlib import Path
from typing import Any

import pytest

from lir_data import TrainingTuple, mine_negatives

datasets = pytest.importorskip("datasets")
sentence_transformers = pytest.importorskip("sentence_transformers")

WORDS = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options",
    [
        {"num_negatives": 3},
        {"num_negatives": 2, "range_min": 2, "range_max": 20},
        {"num_negatives": 2, "absolute_margin": 0.005, "range_max": 20},
        {"num_negatives": 2, "relative_margin": 0.01, "range_max": 20, "range_min": 1},
        {"num_negatives": 3, "max_score": 0.98, "min_score": 0.5, "range_max": 20},
    ],
)
def test_negatives_are_those_of_sentence_transformers(tiny_bert: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    model = SentenceTransformer(str(tiny_bert(tmp_path / "model", words=WORDS)), device="cpu")
    docs = [f"{first} {second}" for first in WORDS[:5] for second in WORDS[5:]]
    positives = {word: f"{word} {WORDS[5 + place]}" for place, word in enumerate(WORDS[:5])}
    mined = mine_hard_negatives(
        datasets.Dataset.from_dict({"anchor": list(positives), "positive": list(positives.values())}),
        model, corpus=docs, output_format="labeled-list", verbose=False, **options,
    )  # fmt: skip
    expected = {row["anchor"]: tuple(row["positive"]) for row in mined}
    similarities = model.similarity(model.encode(list(positives)), model.encode(docs)).tolist()
    run = {query: dict(zip(docs, scores, strict=True)) for query, scores in zip(positives, similarities, strict=True)}
    found = list(mine_negatives(run, {query: {doc: 1} for query, doc in positives.items()}, **options))
    # It leaves queries without any negative out.
    assert {item.query: item.docs for item in found if len(item.docs) > 1} == expected
    assert found[0] == TrainingTuple(found[0].query, found[0].docs, None)
    assert expected
