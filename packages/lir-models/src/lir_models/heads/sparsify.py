"""Functions that make weights sparse."""

import torch
from jaxtyping import Float
from torch import Tensor

from lir_models.fields import Sparsification


def sparsify(values: Float[Tensor, "*shape"], strategy: Sparsification) -> Float[Tensor, "*shape"]:
    """Cut what is negative, and dampen the rest.

    Args:
        values: Logits.
        strategy: ``relu``; ``relu_log``, log(1 + relu(x)), Formal et al. (2021), *SPLADE*, equation 1
            (https://arxiv.org/abs/2107.05720); ``relu_2xlog``, the logarithm applied twice, Geng et al. (2025),
            *Competitive Search Relevance For Inference-Free Learned Sparse Retrievers*
            (https://arxiv.org/abs/2411.04403); None for no change.
    """
    if strategy is None:
        return values
    values = torch.relu(values)
    if strategy != "relu":
        values = torch.log1p(values)
    return torch.log1p(values) if strategy == "relu_2xlog" else values
