"""Fine-tuning and testing by lir."""

from itertools import islice
from pathlib import Path

import torch
from lightning import Callback, seed_everything

from benchmarks.fine_tuning_data import Collection
from benchmarks.fine_tuning_recipes import NUM_UNTIMED, SHARED, Recipe
from benchmarks.measuring import Steps
from lir_data import DocDataset, QueryDataset, RunDataset, TupleDataset, cut_run, filter_run, write_run
from lir_index import IndexCallback, SearchCallback
from lir_models import BiEncoderModel, ColConfig, CrossEncoderModel, MonoConfig, SpladeConfig
from lir_train import (
    BiEncoderModule,
    BinaryCrossEntropy,
    CrossEncoderModule,
    FLOPSRegularization,
    InBatchCrossEntropy,
    LightningIRDataModule,
    LightningIRModule,
    LightningIRTrainer,
    LinearLRSchedulerWithLinearWarmup,
    LossFunction,
    ReRankCallback,
)
from lir_train.collate import TrainingCollator

#: Of each family what it learns by. A cosine is divided by 0.05, as MultipleNegativesRankingLoss does by default.
LOSSES: dict[str, list[LossFunction]] = {
    "dense": [InBatchCrossEntropy(temperature=0.05)],
    "cross-encoder": [BinaryCrossEntropy()],
    "colbert": [InBatchCrossEntropy()],
    "splade": [InBatchCrossEntropy(), FLOPSRegularization(query_weight=1e-3, doc_weight=1e-3)],
}
QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


def write_start(family: str, recipe: Recipe, seed: int, folder: Path) -> None:
    """Write the model that a training starts from; what is new of it, a head, is drawn by the seed."""
    torch.manual_seed(seed)
    lengths = {"query_length": recipe.max_length, "doc_length": recipe.max_length}
    if family == "cross-encoder":
        config = MonoConfig(max_length=recipe.max_length)
        model = CrossEncoderModel.from_pretrained(recipe.backbone, config, device="cpu")
    elif family == "colbert":
        config = ColConfig(similarity_function="cosine", embedding_dim=128, projection="linear_no_bias", **lengths)
        model = BiEncoderModel.from_pretrained(recipe.backbone, config, device="cpu")
    elif family == "splade":
        folder_of_backbone = SHARED / "models" / recipe.backbone
        model = BiEncoderModel.from_pretrained(folder_of_backbone, SpladeConfig(**lengths), device="cpu")
    else:
        model = BiEncoderModel.from_pretrained(recipe.backbone, device="cpu", **lengths)
    model.save_pretrained(folder, overwrite=True)


def train(family: str, recipe: Recipe, seed: int, tuples: Path, start: Path, folder: Path) -> dict[str, float]:
    """Fine-tune, and write the model.

    Returns:
        The loss of the first batch before anything is learnt, without dropout (``loss``, where there is a peer to compare
        it with); the seconds of a step by the clock (``seconds``) and of the processor (``cpu``).
    """
    seed_everything(seed, verbose=False)
    module = _module(family, start)
    collection = Collection()
    dataset = TupleDataset(tuples, docs=collection.docs, queries=collection.queries("train"))
    first = {"loss": _first_loss(module, dataset, recipe.batch_size)} if recipe.with_peer else {}
    module.set_optimizer(
        torch.optim.AdamW,
        lambda optimizer: LinearLRSchedulerWithLinearWarmup(optimizer, recipe.num_warmup_steps, recipe.num_steps),
        lr=recipe.learning_rate,
        weight_decay=0.0,
        fused=True,
    )
    steps = Steps()
    trainer = LightningIRTrainer(
        max_steps=recipe.num_steps, gradient_clip_val=recipe.max_gradient, callbacks=[Timed(steps)], **QUIET
    )
    data = LightningIRDataModule(train_dataset=dataset, train_batch_size=recipe.batch_size, shuffle_train=False)
    trainer.fit(module, data)
    assert len(steps.ends) == recipe.num_steps, f"{family} has learnt for {len(steps.ends)} steps."
    module.save_pretrained(folder, overwrite=True)
    seconds, cpu = steps.seconds(NUM_UNTIMED)
    return {**first, "seconds": seconds, "cpu": cpu}


def test(family: str, recipe: Recipe, model: Path, run: Path) -> float:
    """Search or re-rank for the test queries with a model, write the run, and measure it."""
    module = _module(family, model)
    collection = Collection(recipe.num_test_queries)
    if recipe.re_ranked is None:
        index, docs = run.with_name("index"), DocDataset(collection.docs, num_docs=recipe.num_docs)
        trainer = LightningIRTrainer(callbacks=[IndexCallback(index, overwrite=True)], **QUIET)
        trainer.index(module, LightningIRDataModule(inference_datasets=[docs]))
        trainer = LightningIRTrainer(callbacks=[SearchCallback(index, run_path=run, overwrite=True)], **QUIET)
        queries = QueryDataset(collection.queries("test"))
        trainer.search(module, LightningIRDataModule(inference_datasets=[queries]))
    else:
        candidates = filter_run(collection.bm25("test"), queries=collection.qrels("test"))
        write_run(run.with_name("candidates.trec"), cut_run(candidates, recipe.re_ranked), overwrite=True)
        rankings = RunDataset(
            run.with_name("candidates.trec"), docs=collection.docs, queries=collection.queries("test")
        )
        trainer = LightningIRTrainer(callbacks=[ReRankCallback(run, overwrite=True)], **QUIET)
        trainer.re_rank(module, LightningIRDataModule(inference_datasets=[rankings]))
    return collection.measured(run)


def _module(family: str, model: Path) -> LightningIRModule:
    kind = CrossEncoderModule if family == "cross-encoder" else BiEncoderModule
    return kind(str(model), loss_functions=LOSSES[family])


def _first_loss(module: LightningIRModule, dataset: TupleDataset, batch_size: int) -> float:
    batch = TrainingCollator(module.model)(list(islice(dataset, batch_size)))
    module.eval()
    with torch.no_grad():
        return float(module.loss_functions[0].compute(module.loss_input(batch)))


class Timed(Callback):
    """Notes when steps end."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def on_train_batch_end(self, *_: object) -> None:
        self.steps.ended()
