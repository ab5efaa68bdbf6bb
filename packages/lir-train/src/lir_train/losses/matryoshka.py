"""A loss of the first dimensions of embeddings, so that these are embeddings themselves."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lir_models.embeddings import CoilEmbeddings, Packed
from lir_train.errors import ArgumentError
from lir_train.losses.arguments import check_count
from lir_train.losses.loss import LossFunction, LossInput


class Matryoshka(LossFunction):
    r"""Another loss, of embeddings cut to several widths: :math:`\sum_m w_m L(e_{1 \ldots m})`.

    Where all embeddings are unit vectors, the cut ones are made unit vectors again, as a model does that cuts before it
    normalizes.

    Args:
        loss: The loss: any that a bi-encoder can have.
        dims: The widths; with that of the model among them, it is trained itself.
        weights: What the loss of each width is multiplied by; None for 1.
        n_dims_per_step: How many of the widths a step has, drawn anew at each; None for all.

    References:
        Kusupati et al. (2022), *Matryoshka Representation Learning*, equation 1. https://arxiv.org/abs/2205.13147
    """

    needs_embeddings = True

    def __init__(
        self,
        loss: LossFunction,
        dims: Sequence[int],
        weights: Sequence[float] | None = None,
        n_dims_per_step: int | None = None,
    ) -> None:
        if not isinstance(loss, LossFunction):  # pyright: ignore[reportUnnecessaryIsInstance] # YAML may name anything
            raise ArgumentError(f"{type(self).__name__}: {loss!r} is no loss function of lir, such as RankNet().")
        if not dims:
            raise ArgumentError(f"{type(self).__name__}: dims is empty; name at least one width.")
        for dim in dims:
            check_count(self, dims=dim)
        if weights is not None and len(weights) != len(dims):
            raise ArgumentError(
                f"{type(self).__name__}: there are {len(weights)} weights for {len(dims)} dims; give one for each."
            )
        check_count(self, n_dims_per_step=n_dims_per_step)
        self.loss = loss
        self.dims = tuple(dims)
        self.weights = tuple(weights) if weights is not None else (1.0,) * len(dims)
        self.n_dims_per_step = n_dims_per_step
        self.needs_all_scores = loss.needs_all_scores
        self.needs_targets = loss.needs_targets
        self.compares = loss.compares
        # All processes draw the same widths, or their gradients would have no sum.
        self._order = random.Random(0)  # noqa: S311

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss; the batch must have embeddings."""
        embedded = batch.embedded
        assert embedded is not None
        are_units = all(_are_units(_vectors(self, part)) for part in (embedded.queries, embedded.docs))
        places = range(len(self.dims))
        if self.n_dims_per_step is not None and self.n_dims_per_step < len(self.dims):
            places = sorted(self._order.sample(places, self.n_dims_per_step))
        total = batch.scores.new_zeros(())
        for place in places:
            cut = batch.compared_anew(embedded.map(self._cut(self.dims[place], are_units=are_units)))
            total = total + self.weights[place] * self.loss.compute(cut)
        return total

    def _cut(self, dim: int, *, are_units: bool) -> Callable[[Any], Any]:
        def cut(embeddings: Any) -> Any:
            vectors = _vectors(self, embeddings)
            if dim > vectors.shape[1]:
                raise ArgumentError(
                    f"{type(self).__name__}: dims has {dim}, and the model's embeddings have {vectors.shape[1]} dimensions."
                )
            vectors = vectors[:, :dim]
            if are_units:
                vectors = torch.nn.functional.normalize(vectors, dim=1)
            return Packed(vectors, embeddings.lengths) if isinstance(embeddings, Packed) else vectors

        return cut


def _vectors(loss: LossFunction, embeddings: Any) -> Float[Tensor, "texts dim"]:
    if isinstance(embeddings, CoilEmbeddings):
        raise ArgumentError(
            f"{type(loss).__name__} cuts vectors of one width, and a COIL model has two, of texts and of tokens."
        )
    return embeddings.vectors if isinstance(embeddings, Packed) else embeddings  # pyright: ignore[reportReturnType]


def _are_units(vectors: Float[Tensor, "texts dim"]) -> bool:
    lengths = torch.linalg.vector_norm(vectors.detach().float(), dim=1)
    return bool(((lengths - 1).abs() < 1e-3).all())
