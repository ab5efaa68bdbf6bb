"""Loading the weights of heads from checkpoints."""

import logging
from collections.abc import Mapping

import torch
from torch import nn

from lir_models.checkpoints import Checkpoint, HeadWeights
from lir_models.errors import CheckpointError
from lir_models.fields import Side
from lir_models.heads.vocabulary import StaticHead

logger = logging.getLogger(__name__)


def load_head(head: nn.Module, checkpoint: Checkpoint, side: Side, *, is_own: bool) -> None:
    """Load a head's weights; where the rule is not the checkpoint's own, one that fits, or a new head."""
    wanted = {name: weight.shape for name, weight in head.state_dict().items() if not name.startswith("decoder.")}
    if not wanted:
        return
    weights: HeadWeights = checkpoint.heads(side)
    if isinstance(head, StaticHead):
        weights = head.padded(weights)
    missing = [name for name in wanted if name not in weights]
    fits = not missing and all(weights[name].shape == shape for name, shape in wanted.items())
    if fits:
        head.load_state_dict(weights, strict=False)
        return
    if is_own:
        what = f"lacks {', '.join(missing)}" if missing else f"has {_first_misfit(wanted, weights)}"
        raise CheckpointError(f"The head in '{checkpoint.folder}' does not fit its rule: it {what}.")
    logger.info("Newly made, with random weights: %s.", ", ".join(wanted))


def _first_misfit(wanted: Mapping[str, torch.Size], weights: HeadWeights) -> str:
    name = next(name for name, shape in wanted.items() if weights[name].shape != shape)
    return f"{name} of the shape {list(weights[name].shape)}, and the rule wants {list(wanted[name])}"
