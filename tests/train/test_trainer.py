"""Fitting and re-ranking, end to end on a tiny collection."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from lir_data import DocDataset, QueryDataset, RunDataset, TupleDataset, read_run
from lir_data.errors import LirDataError, UnknownIdError, UnknownMeasureError
from lir_models import (
    BiEncoderConfig,
    BiEncoderModel,
    CoilConfig,
    ColConfig,
    CrossEncoderModel,
    MvrConfig,
    SetEncoderConfig,
    SpladeConfig,
    UniCoilConfig,
)
from lir_train import (
    BiEncoderModule,
    CrossEncoderModule,
    InBatchCrossEntropy,
    KLDivergence,
    LightningIRDataModule,
    LightningIRTrainer,
    RankNet,
    ReRankCallback,
    SupervisedMarginMSE,
    TextModule,
)
from lir_train.errors import LirTrainError


def trainer(**options: object) -> LightningIRTrainer:
    quiet = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return LightningIRTrainer(**quiet, **options)


def run_dataset(collection: Path, run: str = "run.trec", **options: object) -> RunDataset:
    names = {"docs": collection / "docs.tsv", "queries": collection / "queries.tsv", "qrels": collection / "qrels.txt"}
    return RunDataset(str(collection / run), **{name: str(path) for name, path in names.items()}, **options)


def re_rank(module: BiEncoderModule | CrossEncoderModule, collection: Path) -> dict[str, float]:
    return trainer().re_rank(module, LightningIRDataModule(inference_datasets=[run_dataset(collection)]))


def test_a_bi_encoder_learns_from_judgements(backbone: Path, collection: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = BiEncoderModule(str(backbone), loss_functions=[InBatchCrossEntropy()], evaluation_metrics=["RR"])
    module.set_optimizer(lambda parameters: torch.optim.AdamW(parameters, lr=2e-3))
    tuples = TupleDataset(
        str(collection / "qrels.txt"), docs=str(collection / "docs.tsv"), queries=str(collection / "queries.tsv")
    )
    before = re_rank(module, collection)["run/RR"]
    trainer(max_steps=40).fit(module, LightningIRDataModule(train_dataset=tuples, train_batch_size=10))
    after = re_rank(module, collection)["run/RR"]
    assert after > max(before, 0.9)
    module.save_pretrained(tmp_path / "saved")
    again = BiEncoderModule(str(tmp_path / "saved"), evaluation_metrics=["RR"])
    assert re_rank(again, collection)["run/RR"] == after


FAMILIES = {
    "col": ColConfig(embedding_dim=16, query_expansion=True, query_length=8, normalization_strategy="l2"),
    "xtr": ColConfig(embedding_dim=16, k_train=16, normalization_strategy="l2"),
    "splade": SpladeConfig(),
    "splade-doc": SpladeConfig(query_weighting="static", query_expansion=False),
    "coil": CoilConfig(token_embedding_dim=8, cls_embedding_dim=16),
    "unicoil": UniCoilConfig(),
    "mvr": MvrConfig(num_viewer_tokens=2, query_pooling_strategy="mean"),
    "two encoders": BiEncoderConfig(shared_encoder=False),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_and_every_weight_with_it(
    backbone: Path, masked_lm: Path, collection: Path, family: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    folder = masked_lm if family.startswith("splade") else backbone
    rule = FAMILIES[family]
    loss = InBatchCrossEntropy(temperature=0.1 if rule.normalization_strategy == "l2" else 1.0)
    module = BiEncoderModule(str(folder), rule, loss_functions=[loss], evaluation_metrics=["RR"])
    module.set_optimizer(lambda parameters: torch.optim.AdamW(parameters, lr=3e-3))
    tuples = TupleDataset(
        str(collection / "qrels.txt"), docs=str(collection / "docs.tsv"), queries=str(collection / "queries.tsv")
    )
    before = {name: weight.clone() for name, weight in module.model.named_parameters()}
    data = LightningIRDataModule(train_dataset=tuples, train_batch_size=10)
    trainer(max_steps=250 if family == "mvr" else 60).fit(module, data)
    still = [name for name, weight in module.model.named_parameters() if torch.equal(weight, before[name])]
    assert all("pooler" in name for name in still)
    after = re_rank(module, collection)["run/RR"]
    assert after > 0.6  # from 0.29, where all texts are alike
    module.save_pretrained(tmp_path / "saved")
    assert re_rank(BiEncoderModule(str(tmp_path / "saved"), evaluation_metrics=["RR"]), collection)["run/RR"] == after


def test_an_adapter_learns_while_the_backbone_is_frozen(backbone: Path, collection: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    torch.manual_seed(0)
    module = BiEncoderModule(
        str(backbone),
        loss_functions=[InBatchCrossEntropy()],
        evaluation_metrics=["RR"],
        adapter={"r": 8, "target_modules": "all-linear"},
    )
    module.set_optimizer(lambda parameters: torch.optim.AdamW(parameters, lr=1e-2))
    frozen = {name: weight.clone() for name, weight in module.named_parameters() if not weight.requires_grad}
    tuples = TupleDataset(
        str(collection / "qrels.txt"), docs=str(collection / "docs.tsv"), queries=str(collection / "queries.tsv")
    )
    before = re_rank(module, collection)["run/RR"]
    trainer(max_steps=40).fit(module, LightningIRDataModule(train_dataset=tuples, train_batch_size=10))
    after = re_rank(module, collection)["run/RR"]
    assert after > before
    assert all(torch.equal(dict(module.named_parameters())[name], weight) for name, weight in frozen.items())
    module.save_pretrained(tmp_path / "saved")
    assert re_rank(BiEncoderModule(str(tmp_path / "saved"), evaluation_metrics=["RR"]), collection)["run/RR"] == after


def test_a_set_encoder_learns_from_a_run(backbone: Path, collection: Path) -> None:
    torch.manual_seed(0)
    module = CrossEncoderModule(
        str(backbone), SetEncoderConfig(), loss_functions=[RankNet()], evaluation_metrics=["RR"]
    )
    module.set_optimizer(lambda parameters: torch.optim.AdamW(parameters, lr=2e-3))
    before = {name: weight.clone() for name, weight in module.model.named_parameters()}
    data = run_dataset(collection, sample_size=10, targets="relevance")
    trainer(max_steps=10).fit(module, LightningIRDataModule(train_dataset=data, train_batch_size=4))
    still = [name for name, weight in module.model.named_parameters() if torch.equal(weight, before[name])]
    assert [name for name in still if "pooler" not in name] == []


@pytest.mark.parametrize("loss", [RankNet(), KLDivergence(), SupervisedMarginMSE()])
def test_a_cross_encoder_learns_from_a_run(backbone: Path, collection: Path, loss: object) -> None:
    torch.manual_seed(0)
    module = CrossEncoderModule(str(backbone), loss_functions=[(loss, 2.0)], evaluation_metrics=["RR"])
    module.set_optimizer(lambda parameters: torch.optim.AdamW(parameters, lr=5e-3))
    data = run_dataset(collection, sample_size=4, sampling_strategy="single_relevant", targets="relevance")
    trainer(max_steps=100).fit(module, LightningIRDataModule(train_dataset=data, train_batch_size=10))
    assert re_rank(module, collection)["run/RR"] > 0.5


def test_the_loss_is_the_weighted_sum_of_those_logged(backbone: Path, collection: Path) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[(RankNet(), 2.0), (KLDivergence(), 0.5)])
    data = run_dataset(collection, sample_size=4, sampling_strategy="single_relevant", targets="relevance")
    fitted = trainer(max_steps=1)
    fitted.fit(module, LightningIRDataModule(train_dataset=data))
    logged = {name: float(value) for name, value in fitted.logged_metrics.items()}
    assert logged["loss"] == pytest.approx(2 * logged["RankNet"] + 0.5 * logged["KLDivergence"], rel=1e-5)


def test_training_validates_on_runs(backbone: Path, collection: Path) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()], evaluation_metrics=["nDCG@10"])
    data = run_dataset(collection, sample_size=4, sampling_strategy="single_relevant", targets="relevance")
    fitted = trainer(max_epochs=1)
    fitted.fit(module, LightningIRDataModule(train_dataset=data, inference_datasets=[run_dataset(collection)]))
    assert fitted.logged_metrics["run/nDCG@10"] == pytest.approx(re_rank(module, collection)["run/nDCG@10"])


@pytest.mark.parametrize(
    ("module_class", "model_class"), [(BiEncoderModule, BiEncoderModel), (CrossEncoderModule, CrossEncoderModel)]
)
def test_a_run_is_re_ranked_by_the_models_own_scores(
    backbone: Path, collection: Path, tmp_path: Path, module_class: type, model_class: type
) -> None:
    torch.manual_seed(0)
    model = model_class.from_pretrained(backbone)
    callback = ReRankCallback(tmp_path / "out.trec")
    data = LightningIRDataModule(inference_datasets=[run_dataset(collection)], inference_batch_size=300)
    trainer(callbacks=[callback]).re_rank(module_class(model=model), data)
    run = read_run(tmp_path / "out.trec")
    for sample in run_dataset(collection):
        scores = dict(zip(sample.doc_ids, model.score(sample.query, sample.docs).scores.tolist(), strict=True))
        assert run[sample.query_id] == pytest.approx(scores, rel=1e-5)


@pytest.mark.parametrize("how", ["max", "first", None])
@pytest.mark.parametrize(
    ("module_class", "model_class"), [(BiEncoderModule, BiEncoderModel), (CrossEncoderModule, CrossEncoderModel)]
)
def test_a_long_document_has_the_score_of_its_best_or_first_passage(
    backbone: Path, collection: Path, tmp_path: Path, module_class: type, model_class: type, how: Any
) -> None:
    (collection / "docs.tsv").write_text("d0\tred one two blue five\nd1\tgreen three\n")
    (collection / "long.trec").write_text("q0 Q0 d0 1 2 x\nq0 Q0 d1 2 1 x\n")
    passages = {"d0": ["red one two", "two blue five"], "d1": ["green three"]}
    torch.manual_seed(0)
    model = model_class.from_pretrained(backbone)
    dataset = run_dataset(collection, "long.trec", passage_length=3, passage_stride=2)
    module = module_class(model=model, evaluation_metrics=["RR"])
    callback = ReRankCallback(tmp_path / "out.trec", passages=how)
    measured = trainer(callbacks=[callback]).re_rank(module, LightningIRDataModule(inference_datasets=[dataset]))
    expected = {}
    for doc_id, texts in passages.items():
        scores = [model.score("red", [text]).scores.item() for text in texts]
        expected[doc_id] = scores[0] if how == "first" else max(scores)
    assert read_run(tmp_path / "out.trec")["q0"] == pytest.approx(expected, rel=1e-4)
    best = max(expected, key=expected.__getitem__)
    assert measured == {"long/RR": pytest.approx((1.0 if best == "d0" else 0.5) / 10)}


def test_a_run_of_passages_is_kept_if_asked_for(backbone: Path, collection: Path, tmp_path: Path) -> None:
    dataset = run_dataset(collection, passage_length=1)
    callback = ReRankCallback(tmp_path / "out.trec", passages="none")
    trainer(callbacks=[callback]).re_rank(
        BiEncoderModule(str(backbone)), LightningIRDataModule(inference_datasets=[dataset])
    )
    assert read_run(tmp_path / "out.trec")["q0"].keys() == {f"d{doc}#{part}" for doc in range(10) for part in (0, 1)}


def test_an_unknown_aggregation_of_passages_is_refused() -> None:
    with pytest.raises(LirDataError, match=r"ReRankCallback: passages is 'maxp'; .* Did you mean 'max'"):
        ReRankCallback(passages="maxp")


def test_validation_measures_documents_where_they_are_cut(backbone: Path, collection: Path) -> None:
    (collection / "docs.tsv").write_text("".join(f"d{n}\t{'red blue ' * 4}\n" for n in range(10)))
    module = BiEncoderModule(str(backbone), loss_functions=[InBatchCrossEntropy()], evaluation_metrics=["NumRet"])
    tuples = TupleDataset(
        str(collection / "qrels.txt"), docs=str(collection / "docs.tsv"), queries=str(collection / "queries.tsv")
    )
    fitted = trainer(max_epochs=1)
    data = LightningIRDataModule(train_dataset=tuples, inference_datasets=[run_dataset(collection, passage_length=3)])
    fitted.fit(module, data)
    assert fitted.callback_metrics["run/NumRet"].item() == 100


def test_batches_are_the_same_for_any_number_of_workers(backbone: Path, collection: Path) -> None:
    found = []
    for workers in (0, 2):
        data = LightningIRDataModule(
            train_dataset=run_dataset(collection, targets="rank"), train_batch_size=3, num_workers=workers
        )
        module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
        seen: list[torch.Tensor] = []
        step = module.training_step
        module.training_step = lambda batch, batch_idx, seen=seen, step=step: (
            seen.append(batch.doc_keys),
            step(batch, batch_idx),
        )[1]
        trainer(max_epochs=2).fit(module, data)
        found.append(seen)
    assert len(found[0]) == 8
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert not torch.equal(found[0][0], found[0][4])


def test_several_datasets_have_a_file_each(backbone: Path, collection: Path, tmp_path: Path) -> None:
    (collection / "other.trec").write_text((collection / "run.trec").read_text())
    datasets = [run_dataset(collection), run_dataset(collection, "other.trec")]
    callback = ReRankCallback(tmp_path / "runs")
    trainer(callbacks=[callback]).re_rank(
        BiEncoderModule(str(backbone)), LightningIRDataModule(inference_datasets=datasets)
    )
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["other.trec", "run.trec"]
    assert read_run(tmp_path / "runs" / "other.trec") == read_run(tmp_path / "runs" / "run.trec")


@pytest.mark.parametrize(
    ("names", "path", "message"),
    [
        (["run.trec", "run.trec"], "runs", "Two datasets would write the same run file: run.trec, run.trec."),
        (["run.trec", "run.trec"], "collection/run.trec", "is a file, and 2 datasets need a folder for their runs."),
    ],
)
def test_runs_that_have_no_place_are_refused_before_scoring(
    backbone: Path, collection: Path, names: list[str], path: str, message: str
) -> None:
    data = LightningIRDataModule(inference_datasets=[run_dataset(collection, name) for name in names])
    callback = ReRankCallback(collection.parent / path, overwrite=True)
    with pytest.raises(LirTrainError, match=message):
        trainer(callbacks=[callback]).re_rank(BiEncoderModule(str(backbone)), data)


def test_a_run_that_exists_is_refused_before_scoring(backbone: Path, collection: Path, tmp_path: Path) -> None:
    (tmp_path / "out.trec").write_text("mine")
    data = LightningIRDataModule(inference_datasets=[run_dataset(collection)])
    with pytest.raises(LirDataError, match="exists already"):
        trainer(callbacks=[ReRankCallback(tmp_path / "out.trec")]).re_rank(BiEncoderModule(str(backbone)), data)
    assert (tmp_path / "out.trec").read_text() == "mine"


def test_unknown_documents_are_named_before_scoring(backbone: Path, collection: Path) -> None:
    (collection / "docs.tsv").write_text("d0\tred\n")
    with pytest.raises(UnknownIdError, match="no document 'd9'"):
        re_rank(BiEncoderModule(str(backbone)), collection)


def test_measures_are_checked_before_the_model_is_loaded() -> None:
    with pytest.raises(UnknownMeasureError, match="Did you mean 'nDCG@10'"):
        BiEncoderModule("./nowhere", evaluation_metrics=["ndcg@10"])


def test_a_loss_over_other_queries_documents_is_refused_for_cross_encoders() -> None:
    with pytest.raises(LirTrainError, match="InBatchCrossEntropy compares a query with other queries' documents"):
        CrossEncoderModule("./nowhere", loss_functions=[InBatchCrossEntropy()])


def test_a_cross_encoder_does_not_index(backbone: Path, collection: Path) -> None:
    data = LightningIRDataModule(inference_datasets=[DocDataset(str(collection / "docs.tsv"))])
    with pytest.raises(LirTrainError, match="index needs a bi-encoder"):
        trainer().index(CrossEncoderModule(str(backbone)), data)


def test_indexing_needs_a_callback(backbone: Path, collection: Path) -> None:
    data = LightningIRDataModule(inference_datasets=[DocDataset(str(collection / "docs.tsv"))])
    with pytest.raises(LirTrainError, match="index needs an IndexCallback"):
        trainer().index(BiEncoderModule(str(backbone)), data)


def test_fitting_needs_a_loss(backbone: Path, collection: Path) -> None:
    with pytest.raises(LirTrainError, match="There is no loss to fit by"):
        trainer(max_steps=1).fit(
            BiEncoderModule(str(backbone)), LightningIRDataModule(train_dataset=run_dataset(collection, targets="rank"))
        )


def test_an_index_is_told_what_the_model_makes(backbone: Path) -> None:
    told = BiEncoderModule(
        str(backbone), ColConfig(embedding_dim=8, query_aggregation_function="mean")
    ).index_metadata()
    assert (told["form"], told["query_aggregation"], told["doc_aggregation"]) == ("multi-vector", "mean", "max")


@pytest.mark.parametrize(("dataset", "file"), [(DocDataset, "docs.tsv"), (QueryDataset, "queries.tsv")])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_without_a_model_texts_are_handed_over_as_they_are(
    collection: Path, dataset: type, file: str, num_workers: int
) -> None:
    data = LightningIRDataModule(
        inference_datasets=[dataset(str(collection / file))], inference_batch_size=4, num_workers=num_workers
    )
    outputs = []
    keep = Callback()
    keep.on_predict_batch_end = lambda trainer, module, output, *_: outputs.append(vars(output))
    trainer(callbacks=[keep]).predict(TextModule(), data, return_predictions=False)
    pairs = [pair for ids, texts in map(dict.values, outputs) for pair in zip(ids, texts, strict=True)]
    assert len(outputs) == 3
    assert pairs == [tuple(line.split("\t")) for line in (collection / file).read_text().splitlines()]


def test_without_a_model_nothing_is_re_ranked_or_trained(collection: Path) -> None:
    data = LightningIRDataModule(inference_datasets=[run_dataset(collection)])
    with pytest.raises(LirTrainError, match="A TextModule has no model, so it scores no rankings"):
        trainer().re_rank(TextModule(), data)
    with pytest.raises(LirTrainError, match="A TextModule has no model, so there is nothing to train"):
        trainer(max_steps=1).fit(TextModule(), LightningIRDataModule(train_dataset=run_dataset(collection)))
