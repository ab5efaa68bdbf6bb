"""Trains in as many processes as it is told, and saves the weights; run by test_distributed.py, by each process anew."""

import sys
import warnings
from pathlib import Path

import torch

from lir_data import RunDataset
from lir_models import ColConfig, SpladeConfig
from lir_train import (
    BiEncoderModule,
    CrossEncoderModule,
    InBatchCrossEntropy,
    KLDivergence,
    LightningIRDataModule,
    LightningIRTrainer,
    RankNet,
)

GLOBAL_BATCH_SIZE = 4


def modules(folder: Path):
    """Yield names and modules."""
    backbone, masked_lm = str(folder / "backbone"), str(folder / "masked-lm")
    in_batch = InBatchCrossEntropy(temperature=0.5)
    gathered = {"gather_across_devices": True}
    yield "dense", BiEncoderModule(backbone, loss_functions=[in_batch, KLDivergence()], **gathered)
    col = ColConfig(embedding_dim=8, normalization_strategy="l2")
    yield "multi-vector", BiEncoderModule(backbone, col, loss_functions=[in_batch], **gathered, mini_batch_size=3)
    yield "own documents", BiEncoderModule(backbone, col, loss_functions=[RankNet()])
    yield "sparse", BiEncoderModule(masked_lm, SpladeConfig(), loss_functions=[in_batch], **gathered)
    yield "cross-encoder", CrossEncoderModule(backbone, loss_functions=[RankNet()], mini_batch_size=2)


def main(folder: Path, num_processes: int) -> None:
    """Train every module."""
    names = {name: str(folder / file) for name, file in (("docs", "docs.tsv"), ("queries", "queries.tsv"))}
    torch.manual_seed(0)
    for name, module in modules(folder):
        for part in module.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0  # which would be drawn for other texts
        run = str(folder / "run.trec")
        dataset = RunDataset(
            run, qrels=str(folder / "qrels.txt"), targets="relevance", depth=3, add_docs_not_in_ranking=True, **names
        )
        data = LightningIRDataModule(train_dataset=dataset, train_batch_size=GLOBAL_BATCH_SIZE // num_processes)
        module.set_optimizer(torch.optim.SGD, lr=0.1)
        trainer = LightningIRTrainer(
            max_epochs=2,
            accelerator="cpu",
            devices=num_processes,
            strategy="ddp" if num_processes > 1 else "auto",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        )
        trainer.fit(module, data)
        if trainer.is_global_zero:
            torch.save(module.model.state_dict(), folder / f"{name}-{num_processes}.pt")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(Path(sys.argv[1]), int(sys.argv[2]))
