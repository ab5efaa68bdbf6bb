"""A training is validated by re-ranking and by searches through whole collections."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import ModelCheckpoint

from lir_data import DocDataset, RetrievalDataset, RunDataset, evaluate, open_queries
from lir_data.errors import LirDataError
from lir_models import BiEncoderConfig, ColConfig, SpladeConfig
from lir_train import (
    BiEncoderModule,
    CrossEncoderModule,
    InBatchCrossEntropy,
    LightningIRDataModule,
    LightningIRTrainer,
    RankNet,
)
from lir_train.collection_search import CollectionSearch
from lir_train.errors import LirTrainError

# The checkpoint that is measured lies where others would.
pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")


def trainer(**options: object) -> LightningIRTrainer:
    quiet = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return LightningIRTrainer(**{"enable_checkpointing": False, **quiet, **options})


def retrieval(collection: Path, **options: object) -> RetrievalDataset:
    return RetrievalDataset(
        str(collection / "queries.tsv"),
        str(collection / "docs.tsv"),
        **{"qrels": str(collection / "qrels.txt"), **options},
    )


RULES = {"dense": BiEncoderConfig(), "multi-vector": ColConfig(embedding_dim=8), "sparse": SpladeConfig()}


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("rule", RULES)
def test_a_search_finds_what_comparing_with_every_document_does(
    backbone: Path, masked_lm: Path, collection: Path, rule: str, num_workers: int
) -> None:
    folder = masked_lm if rule == "sparse" else backbone
    module = BiEncoderModule(str(folder), RULES[rule], evaluation_metrics=["RR", "nDCG@3"])
    data = LightningIRDataModule(
        inference_datasets=[retrieval(collection)], inference_batch_size=3, num_workers=num_workers
    )
    (found,) = trainer().validate(module, datamodule=data, verbose=False)
    texts = {doc.doc_id: doc.doc for doc in DocDataset(str(collection / "docs.tsv"))}
    queries = open_queries(str(collection / "queries.tsv"))
    scores = module.model.score(list(queries.values()), [list(texts.values())] * len(queries)).per_query()
    run = {query: dict(zip(texts, row.tolist(), strict=True)) for query, row in zip(queries, scores, strict=True)}
    expected = evaluate(run, collection / "qrels.txt", ["RR", "nDCG@3"])
    assert found == pytest.approx({f"queries/{name}": value for name, value in expected.items()})


def test_the_best_checkpoint_is_chosen_by_a_search(backbone: Path, collection: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = BiEncoderModule(str(backbone), loss_functions=[InBatchCrossEntropy()], evaluation_metrics=["RR"])
    module.set_optimizer(torch.optim.AdamW, lr=2e-3)
    train = RunDataset(
        str(collection / "run.trec"),
        docs=str(collection / "docs.tsv"),
        queries=str(collection / "queries.tsv"),
        qrels=str(collection / "qrels.txt"),
        targets="relevance",
    )
    best = ModelCheckpoint(tmp_path, monitor="queries/RR", mode="max")
    data = LightningIRDataModule(train_dataset=train, train_batch_size=5, inference_datasets=[retrieval(collection)])
    trainer(max_epochs=5, callbacks=[best], enable_checkpointing=True).fit(module, data)
    state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    module.load_state_dict(state)
    (found,) = trainer().validate(module, datamodule=data, verbose=False)
    assert found["queries/RR"] == pytest.approx(float(best.best_model_score))


class Compares:
    """A model of vectors."""

    @staticmethod
    def similarity(queries: np.ndarray, docs: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(queries @ docs.T)


@given(st.integers(1, 5), st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 100))
def test_the_best_of_all_windows_are_kept(depth: int, sizes: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    queries = random.standard_normal((3, 4)).astype(np.float32)
    search = CollectionSearch(Compares, ["a", "b", "c"], queries, depth)
    docs = random.standard_normal((sum(sizes), 4)).astype(np.float32)
    start = 0
    for size in sizes:
        search.add([f"d{place}" for place in range(start, start + size)], docs[start : start + size])
        start += size
    for query_id, scores in zip("abc", queries @ docs.T, strict=True):
        best = sorted(range(len(docs)), key=lambda place: -scores[place])[:depth]
        assert search.run()[query_id] == pytest.approx({f"d{place}": float(scores[place]) for place in best}, abs=1e-6)


def test_a_cross_encoder_searches_no_collection(backbone: Path, collection: Path) -> None:
    data = LightningIRDataModule(inference_datasets=[retrieval(collection)])
    with pytest.raises(LirTrainError, match="is a cross-encoder: it reads query and document together"):
        trainer().validate(CrossEncoderModule(str(backbone), loss_functions=[RankNet()]), datamodule=data)


def test_what_is_searched_must_be_known(collection: Path) -> None:
    with pytest.raises(LirDataError, match=r"queries.tsv' has no documents; docs must say what is searched"):
        RetrievalDataset(str(collection / "queries.tsv"))
    with pytest.raises(LirDataError, match="depth is 0; it must be at least 1"):
        retrieval(collection, depth=0)
