"""Training on a real collection makes a model better."""

from collections.abc import Callable
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[2] / "configs"
ZERO_SHOT = 0.3159


@pytest.mark.long
@pytest.mark.usefixtures("ir_datasets_home")
def test_training_on_nfcorpus_raises_its_ndcg(lir: Callable[..., str], model: str) -> None:
    lir("index", "--model", model, "--docs", "beir/nfcorpus", "--index", "zero-shot")
    lir("search", "--index", "zero-shot", "--queries", "beir/nfcorpus/train", "-k", 100, "--run", "nfcorpus-train.trec")
    lir("train", "--config", CONFIGS / "nfcorpus-train.yaml", "--output", "my-model")
    lir("index", "--model", "my-model", "--docs", "beir/nfcorpus", "--index", "idx")
    found = lir("search", "--index", "idx", "--queries", "beir/nfcorpus/test", "-k", 100, "-m", "nDCG@10")
    assert float(found.splitlines()[1].split("\t")[1]) > ZERO_SHOT + 0.005
