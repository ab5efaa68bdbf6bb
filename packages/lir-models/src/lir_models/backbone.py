"""Loading a transformer and its tokenizer, quietly, with errors that a person can use."""

import hashlib
import json
import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lir_models.checkpoints.files import read_json
from lir_models.errors import CheckpointError
from lir_models.tokenization import Tokenizer

# Values taken of each weight for a fingerprint: enough to tell models apart, quick for the largest.
_SAMPLE = 256


def load_backbone(folder: Path, *, classifier_labels: int | None = None, trust_remote_code: bool = False) -> nn.Module:
    """Load a folder's transformer in float32, in evaluation mode.

    Args:
        folder: A Hugging Face model folder.
        classifier_labels: For a sequence classifier with so many outputs; None for the bare transformer.
        trust_remote_code: Whether Python code from the folder may run.

    Raises:
        CheckpointError: If transformers cannot read it.
    """
    from transformers import AutoModel, AutoModelForSequenceClassification

    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": trust_remote_code}
    auto = AutoModel
    if classifier_labels is not None:
        auto, options["num_labels"] = AutoModelForSequenceClassification, classifier_labels
    with quiet(), _readable(folder):
        return auto.from_pretrained(folder, **options).eval()


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Tokenizer:
    """Load a folder's tokenizer; texts are cut at what the backbone has positions for."""
    from transformers import AutoTokenizer

    with quiet(), _readable(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    return Tokenizer(tokenizer, _positions(read_json(folder / "config.json")))


def _positions(config: Mapping[str, Any]) -> int | None:
    """Return the number of tokens that there are positions for; RoBERTa's kind reserve the first ones for padding."""
    positions = config.get("max_position_embeddings")
    if positions is None or positions <= 0:
        return None
    reserved = config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer")
    return positions - (config.get("pad_token_id", 1) + 1 if reserved else 0)


@contextmanager
def quiet() -> Generator[None]:
    """Keep transformers from reports and progress bars while it loads or saves: lir says what matters."""
    from transformers.utils import logging as transformers_logging

    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def _readable(folder: Path) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"'{folder}' cannot be loaded: {reason}") from error


def default_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fingerprint(model: nn.Module, config: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that tell one model from another.

    Made of the rule, and of each weight's name, shape and a sample of its values rounded to bfloat16: so a model has
    one fingerprint whether it runs in float32 or bfloat16.
    """
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name, weight in sorted(model.state_dict().items()):
        flat = weight.detach().reshape(-1)
        places = torch.from_numpy(np.linspace(0, max(0, flat.numel() - 1), min(_SAMPLE, flat.numel())).astype(np.int64))
        sample = flat[places.to(flat.device)].to(torch.bfloat16).float().cpu()
        digest.update(f"{name}{tuple(weight.shape)}".encode() + sample.numpy().tobytes())
    return digest.hexdigest()[:16]
