"""Large batches in little memory: each part's activations are made twice, and never lie beside another part's.

Gao et al. (2021), *Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup*.
https://arxiv.org/abs/2101.06983. What they do in three passes (embed without gradients, differentiate the loss by the
embeddings, embed again and go on from there) is activation checkpointing, with a whole part of the batch as the segment:
torch keeps a part's inputs and embeddings alone, and runs it again, with the random numbers and the precision of the first
time, when the backward pass reaches it.
"""

from collections.abc import Callable
from typing import Any

from torch.utils.checkpoint import checkpoint

from lir_models.memory import release_memory
from lir_models.tokenization import TokenBatch
from lir_train.mini_batches import MiniBatches, joined


def run(forward: Callable[[int, TokenBatch], Any], batch: MiniBatches, *, cached: bool) -> Any:
    """Run a model over the parts of a batch.

    Args:
        forward: From a part's place and the part to one row a text, or packed vectors.
        batch: The parts.
        cached: Whether activations are forgotten and made again; otherwise those of all parts are kept.

    Returns:
        Rows, or packed vectors, of all texts in their order, with gradients.
    """

    def forward_in_free_memory(place: int, part: TokenBatch) -> Any:
        if part.input_ids.device.type == "cpu":
            # Else sixteen parts would hold twice the memory of one.
            release_memory()
        return forward(place, part)

    def part_of(place: int) -> Any:
        part = batch.parts[place]
        if not cached:
            return forward(place, part)
        # As tensors, not as one object, so that torch sees on which device the random numbers are drawn.
        return checkpoint(
            lambda *tensors: forward_in_free_memory(place, TokenBatch(*tensors)),
            part.input_ids,
            part.attention_mask,
            part.token_mask,
            part.token_type_ids,
            use_reentrant=False,
        )

    return joined([part_of(place) for place in range(len(batch.parts))], batch.order)
