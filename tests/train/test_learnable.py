"""A training that can learn nothing is refused before its first step."""

from pathlib import Path

import pytest

from lir_data import TupleDataset
from lir_train import (
    BiEncoderModule,
    InBatchCrossEntropy,
    InfoNCE,
    LightningIRDataModule,
    LightningIRTrainer,
    LossFunction,
    MarginMSE,
    Matryoshka,
    RankNet,
)
from lir_train.errors import NothingToLearnError


def fit(backbone: Path, file: Path, text: str, loss: LossFunction, batch_size: int = 2) -> None:
    file.write_text(text)
    data = LightningIRDataModule(train_dataset=TupleDataset(str(file)), train_batch_size=batch_size)
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    LightningIRTrainer(max_steps=1, accelerator="cpu", **quiet).fit(
        BiEncoderModule(str(backbone), loss_functions=[loss]), data
    )


@pytest.mark.parametrize("loss", [RankNet(), InfoNCE(), MarginMSE(), Matryoshka(RankNet(), [8])])
def test_one_document_per_query_teaches_no_loss_that_compares_them(
    backbone: Path, tmp_path: Path, loss: LossFunction
) -> None:
    name = type(loss).__name__
    with pytest.raises(NothingToLearnError, match=f"{name} compares the documents of one query.*'pairs'") as caught:
        fit(backbone, tmp_path / "pairs.tsv", "red\tred red\nblue\tblue blue\n", loss)
    assert "lir mine" in str(caught.value.hint)


def test_one_document_per_query_teaches_a_loss_of_the_batch(backbone: Path, tmp_path: Path) -> None:
    fit(backbone, tmp_path / "pairs.tsv", "red\tred red\nblue\tblue blue\n", InBatchCrossEntropy())


def test_a_batch_of_one_has_nothing_to_compare(backbone: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToLearnError, match="train_batch_size is 1"):
        fit(backbone, tmp_path / "pairs.tsv", "red\tred red\nblue\tblue blue\n", InBatchCrossEntropy(), batch_size=1)


def test_negatives_are_enough(backbone: Path, tmp_path: Path) -> None:
    fit(backbone, tmp_path / "triples.tsv", "red\tred red\tone\n", RankNet(), batch_size=1)
