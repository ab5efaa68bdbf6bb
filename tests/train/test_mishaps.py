"""What goes wrong in a training is told in a sentence, or has a meaning."""

from pathlib import Path

import pytest
import torch
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

from lir_data import RunDataset
from lir_models import BiEncoderModel, CrossEncoderModel, MonoConfig
from lir_train import (
    BiEncoderModule,
    CrossEncoderModule,
    FLOPSRegularization,
    InBatchCrossEntropy,
    KLDivergence,
    LightningIRDataModule,
    LightningIRTrainer,
    LossFunction,
    LossInput,
    RankNet,
)
from lir_train.errors import DivergedError, EmptyDatasetError, LirTrainError, OutOfMemoryError


def fit(module: BiEncoderModule | CrossEncoderModule, dataset: object, **options: object) -> None:
    LightningIRTrainer(
        **{"max_steps": 2, **options},
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    ).fit(module, LightningIRDataModule(train_dataset=dataset, train_batch_size=2))


def run(collection: Path, **options: object) -> RunDataset:
    names = {"docs": "docs.tsv", "queries": "queries.tsv", "qrels": "qrels.txt"}
    files = {name: str(collection / file) for name, file in names.items()}
    return RunDataset(str(collection / "run.trec"), **files, **{"targets": "relevance", **options})


class Breaks(LossFunction):
    """Gives or raises what it is told to."""

    def __init__(self, outcome: float | Exception) -> None:
        self.outcome = outcome

    def compute(self, batch: LossInput) -> torch.Tensor:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return batch.scores.sum() * self.outcome


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training(backbone: Path, collection: Path, value: float) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet(), Breaks(value)])
    with pytest.raises(
        DivergedError, match=r"The loss is -?(nan|inf) at step 0 \(RankNet [0-9.]+, Breaks -?(nan|inf)\)"
    ):
        fit(module, run(collection))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_a_batch_that_does_not_fit_in_memory_is_described(backbone: Path, collection: Path, error: Exception) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[Breaks(error)])
    with pytest.raises(OutOfMemoryError, match="step 0, on 2 queries with 20 documents of up to 4 tokens") as told:
        fit(module, run(collection))
    assert "mini_batch_size" in told.value.hint


def test_another_error_stays_what_it_is(backbone: Path, collection: Path) -> None:
    with pytest.raises(RuntimeError, match="something else"):
        fit(BiEncoderModule(str(backbone), loss_functions=[Breaks(RuntimeError("something else"))]), run(collection))


def test_data_without_a_sample_is_named(backbone: Path, collection: Path) -> None:
    with pytest.raises(EmptyDatasetError, match="The training data 'run' has no samples"):
        fit(BiEncoderModule(str(backbone), loss_functions=[RankNet()]), run(collection).skip(10))


def test_a_ranking_of_fewer_documents_than_wanted_is_taken_whole(backbone: Path, collection: Path) -> None:
    fit(BiEncoderModule(str(backbone), loss_functions=[RankNet()]), run(collection, sample_size=50))


@pytest.mark.parametrize("loss", [RankNet(), KLDivergence(), InBatchCrossEntropy()])
def test_one_document_a_query_and_equal_targets_are_defined(
    backbone: Path, collection: Path, loss: LossFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where a whole dataset is like this, nothing is trained; a batch of another may be.
    monkeypatch.setattr("lir_train.module.check_learnable", lambda *_: None)
    module = BiEncoderModule(str(backbone), loss_functions=[loss])
    fit(module, run(collection, depth=1, normalize_targets=True))
    fit(module, run(collection, depth=1, targets="rank"))
    assert all(torch.isfinite(weight).all() for weight in module.parameters())


def test_a_loss_that_looks_at_embeddings_is_refused_for_cross_encoders() -> None:
    with pytest.raises(
        LirTrainError, match="FLOPSRegularization looks at embeddings, which a cross-encoder has none of"
    ):
        CrossEncoderModule("./nowhere", loss_functions=[FLOPSRegularization()])


@pytest.mark.parametrize("kind", [BiEncoderModule, CrossEncoderModule])
def test_checkpointed_layers_have_the_same_gradients(
    kind: type[BiEncoderModule] | type[CrossEncoderModule], backbone: Path, collection: Path
) -> None:
    weights = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        module = kind(str(backbone), loss_functions=[RankNet()], gradient_checkpointing=checkpointing)
        module.set_optimizer(torch.optim.SGD, lr=0.1)
        fit(module, run(collection, depth=3, add_docs_not_in_ranking=True))
        weights.append(module.state_dict())
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, atol=1e-6, rtol=1e-5)


def test_mixed_precision_leaves_scores_and_weights_in_full(backbone: Path, collection: Path) -> None:
    seen = []

    class Looks(RankNet):
        def compute(self, batch: LossInput) -> torch.Tensor:
            seen.append(batch.scores.dtype)
            return super().compute(batch)

    module = BiEncoderModule(str(backbone), loss_functions=[Looks()])
    fit(module, run(collection), precision="bf16-mixed")
    assert set(seen) == {torch.float32}
    assert {weight.dtype for weight in module.parameters()} == {torch.float32}


def test_further_arguments_reach_the_model(backbone: Path) -> None:
    module = BiEncoderModule(str(backbone), model_kwargs={"dtype": "bfloat16"})
    assert isinstance(module.model, BiEncoderModel)
    assert torch.bfloat16 in {weight.dtype for weight in module.model.backbone.parameters()}


def test_the_backbone_is_compiled_where_asked_for(
    backbone: Path, collection: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **options: compiled.append((self, options)))
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()], torch_compile=True)
    fit(module, run(collection))
    assert compiled == [(module.model.backbone, {"dynamic": True})]


def test_losses_of_one_class_are_told_apart(backbone: Path) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet(), KLDivergence(), RankNet(2.0)])
    assert module.loss_names == ["RankNet_0", "KLDivergence", "RankNet_1"]


def test_a_pooler_is_trained_where_scores_are_made_of_it(backbone: Path) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    deberta = DebertaV2ForSequenceClassification(DebertaV2Config(vocab_size=20, num_labels=1, **sizes))
    tokenizer = CrossEncoderModel.from_pretrained(backbone).tokenizer
    classifier = CrossEncoderModule(model=CrossEncoderModel(deberta, tokenizer, MonoConfig()))
    assert all(weight.requires_grad for weight in classifier.parameters())
    assert not [name for name, _ in BiEncoderModule(str(backbone)).named_parameters() if "pooler" in name]
