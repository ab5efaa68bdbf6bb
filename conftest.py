"""What every test of the workspace has: no network, the collections where they lie, and skips that say why."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import pytest

# Read when huggingface_hub is imported; `HF_HUB_OFFLINE=0 uv run pytest -m network` runs the tests that need the hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker for each processor: more threads would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# ir_datasets reads this once, when it is first imported.
os.environ["IR_DATASETS_HOME"] = tempfile.mkdtemp(prefix="lir-tests-")
# So does datasets.
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp(prefix="lir-tests-")

# The same examples each time, and few; `HYPOTHESIS_PROFILE=thorough uv run pytest` looks for more, and for others.
hypothesis.settings.register_profile("quick", max_examples=30, derandomize=True, deadline=None)
hypothesis.settings.register_profile("few", max_examples=3, derandomize=True, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=300, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_unconfigure() -> None:
    """Remove what ir_datasets and datasets were given."""
    for folder in ("IR_DATASETS_HOME", "HF_DATASETS_CACHE"):
        shutil.rmtree(os.environ[folder], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the network or a GPU where there is none."""
    if os.environ["HF_HUB_OFFLINE"] != "0":
        for item in items:
            if item.get_closest_marker("network"):
                item.add_marker(pytest.mark.skip(reason="HF_HUB_OFFLINE is set: no network"))
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not has_cuda():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))


def has_cuda() -> bool:
    """Whether torch is installed and sees a CUDA device."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def tiny_bert() -> Callable[..., Path]:
    """What saves a random BERT of two layers and 32 dimensions with its tokenizer, and returns the folder."""

    def save(
        folder: Path,
        architecture: str = "BertModel",
        *,
        words: Sequence[str],
        length: int = 32,
        seed: int = 0,
        **options,
    ) -> Path:
        import torch
        import transformers

        folder.mkdir(parents=True)
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
        (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
        tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=length)
        tokenizer.save_pretrained(folder)
        torch.manual_seed(seed)
        config = transformers.BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=length,
            **options,
        )
        getattr(transformers, architecture)(config).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real collections beside the checkout; tests that need it are skipped without it."""
    folder = Path(__file__).parent.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the collections in ../shared are not here")
    return folder


@pytest.fixture(scope="session")
def ir_datasets_home(shared: Path) -> Path:
    """The home of ir_datasets, filled so that some collections load without a network."""
    home = Path(os.environ["IR_DATASETS_HOME"])
    for source in (shared / "data" / "ir_datasets_home", shared / "data" / "msmarco-dl" / "ir_datasets_home"):
        # The contents alone, file by file: the originals may be read-only, and copytree would keep that.
        for path in source.rglob("*"):
            target = home / path.relative_to(source)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    return home
