"""A real SPLADE, encoded by lir and searched exactly, gives the figures that its reference gives on Cranfield."""

from pathlib import Path

import pytest

from lir_data import DocDataset, QueryDataset, evaluate
from lir_models import BiEncoderModel, SpladeConfig

MEASURES = ["nDCG@10", "RR@10", "R@100", "AP"]
REFERENCE = {"qrels.txt": [0.3342, 0.5427, 0.7311, 0.2979], "qrels.binary.txt": [0.3800, 0.5427, 0.7311, 0.2979]}
CAPITAL = {"capital": 2.7946, "france": 2.3587, "french": 1.8445, "city": 1.3094, "brazil": 1.0469}


@pytest.fixture(scope="module")
def splade(shared: Path) -> BiEncoderModel:
    folder = shared / "models" / "splade-tiny"
    if not folder.is_dir():
        pytest.skip("there is no splade-tiny beside the checkout")
    return BiEncoderModel.from_pretrained(folder, SpladeConfig(query_length=256, doc_length=256))


def test_the_terms_of_a_text_weigh_what_its_card_says(splade: BiEncoderModel) -> None:
    weights = splade.encode_query(["what is the capital of france"])
    terms = splade.tokenizer.tokenizer.convert_ids_to_tokens(weights.indices.tolist())
    found = dict(sorted(zip(terms, weights.data.tolist(), strict=True), key=lambda pair: -pair[1]))
    assert len(found) == 15
    assert dict(list(found.items())[:5]) == pytest.approx(CAPITAL, abs=1e-4)


@pytest.mark.long
def test_cranfield(splade: BiEncoderModel, shared: Path) -> None:
    folder = shared / "data" / "cranfield"
    docs, queries = list(DocDataset(folder / "docs.jsonl.gz")), list(QueryDataset(folder / "queries.tsv"))
    scores = splade.similarity(
        splade.encode_query([query.query for query in queries]), splade.encode_document([doc.doc for doc in docs])
    )
    best = scores.topk(1000, dim=1)
    run = {
        query.query_id: {docs[place].doc_id: score for place, score in zip(places, values, strict=True)}
        for query, places, values in zip(queries, best.indices.tolist(), best.values.tolist(), strict=True)
    }
    for qrels, expected in REFERENCE.items():
        values = evaluate(run, folder / qrels, MEASURES)
        assert [values[measure] for measure in MEASURES] == pytest.approx(expected, abs=1e-3)
