"""Losses by the names and with the arguments that users of sentence-transformers and PyLate know.

Each is a loss of lir, logged under its own name. What belongs elsewhere in lir is no argument: the model and its similarity
function (the model's own is used, where sentence-transformers takes cosine similarity or the dot product whatever the model
is used with), ``mini_batch_size`` and ``gather_across_devices`` (options of the module), and activations. The positive is
the document of the highest target, not of the first column.
"""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from lir_models import BiEncoderModel
from lir_train.errors import ArgumentError
from lir_train.losses.approximate import ADRMSE
from lir_train.losses.arguments import check_positive
from lir_train.losses.cosent import CoSENT
from lir_train.losses.directions import Direction
from lir_train.losses.distillation import KLDivergence
from lir_train.losses.guided import GuidedInBatchCrossEntropy
from lir_train.losses.in_batch import InBatchCrossEntropy
from lir_train.losses.lambda_loss import LambdaLoss
from lir_train.losses.list_mle import ListMLE, PListMLE
from lir_train.losses.listwise import ListNet
from lir_train.losses.loss import LossFunction, LossInput
from lir_train.losses.matryoshka import Matryoshka
from lir_train.losses.pairwise import MarginMSE, TripletMargin
from lir_train.losses.pointwise import BinaryCrossEntropy, MeanSquaredError
from lir_train.losses.regularizers import FLOPSRegularization


class MultipleNegativesRankingLoss(InBatchCrossEntropy):
    """`InBatchCrossEntropy` with all documents.

    Args:
        scale: What scores are multiplied by; a temperature of ``1 / scale``.
        directions: As in `InBatchCrossEntropy`.
        partition_mode: As in `InBatchCrossEntropy`.
        hardness_mode: As in `InBatchCrossEntropy`.
        hardness_strength: As in `InBatchCrossEntropy`.
    """

    def __init__(
        self,
        scale: float = 20.0,
        *,
        directions: Sequence[Direction] = ("query_to_doc",),
        partition_mode: Literal["joint", "per_direction"] = "joint",
        hardness_mode: Literal["in_batch_negatives", "hard_negatives", "all_negatives"] | None = None,
        hardness_strength: float = 0.0,
    ) -> None:
        super().__init__(
            temperature=_inverse(self, scale=scale),
            directions=directions,
            partition_mode=partition_mode,
            hardness_mode=hardness_mode,
            hardness_strength=hardness_strength,
        )


class MultipleNegativesSymmetricRankingLoss(MultipleNegativesRankingLoss):
    """`MultipleNegativesRankingLoss` from queries to documents and from documents to queries.

    Args:
        scale: What scores are multiplied by.
    """

    def __init__(self, scale: float = 20.0) -> None:
        super().__init__(scale, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction")


class CachedMultipleNegativesRankingLoss(MultipleNegativesRankingLoss):
    """`MultipleNegativesRankingLoss`: any loss of lir can be computed with cached gradients.

    Args:
        scale: What scores are multiplied by.
        mini_batch_size: Nothing but None: it is an option of the module.
    """

    def __init__(self, scale: float = 20.0, mini_batch_size: int | None = None) -> None:
        super().__init__(scale)
        if mini_batch_size is not None:
            raise ArgumentError(
                f"CachedMultipleNegativesRankingLoss: mini_batch_size is {mini_batch_size}; in lir it is an option of the "
                f"module, for all of its losses: BiEncoderModule(..., mini_batch_size={mini_batch_size})."
            )


class Contrastive(InBatchCrossEntropy):
    """`InBatchCrossEntropy` with all documents, PyLate's.

    Args:
        temperature: What scores are divided by.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__(temperature=temperature)


class GISTEmbedLoss(GuidedInBatchCrossEntropy):
    """`GuidedInBatchCrossEntropy`.

    Args:
        guide: A bi-encoder, or its name.
        temperature: What scores are divided by.
        margin_strategy: As in `GuidedInBatchCrossEntropy`.
        margin: As in `GuidedInBatchCrossEntropy`.
        contrast_anchors: Whether queries are compared with queries.
        contrast_positives: Whether best documents are compared with best documents.
    """

    def __init__(
        self,
        guide: str | BiEncoderModel,
        temperature: float = 0.01,
        margin_strategy: Literal["absolute", "relative"] = "absolute",
        margin: float = 0.0,
        contrast_anchors: bool = True,
        contrast_positives: bool = True,
    ) -> None:
        super().__init__(
            guide,
            margin,
            margin_strategy,
            temperature,
            contrast_queries=contrast_anchors,
            contrast_docs=contrast_positives,
        )


class MarginMSELoss(MarginMSE):
    """`MarginMSE` of a query's first document with each other one."""

    def __init__(self) -> None:
        super().__init__("scores", "first")


class DistillKLDivLoss(KLDivergence):
    """`KLDivergence`, multiplied by the square of the student's temperature.

    Args:
        temperature: What scores and targets are divided by.
        student_temperature: What scores are divided by, where it is another.
        teacher_temperature: What targets are divided by, where it is another.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        student_temperature: float | None = None,
        teacher_temperature: float | None = None,
    ) -> None:
        super().__init__(temperature, student_temperature, teacher_temperature, scale_by_temperature=True)


class Distillation(KLDivergence):
    """`KLDivergence` without a temperature, PyLate's."""

    def __init__(self) -> None:
        super().__init__()


class MSELoss(MeanSquaredError):  # noqa: N818 # an error of squares, no exception
    """`MeanSquaredError`, of scores as for a cross-encoder."""


class CosineSimilarityLoss(MeanSquaredError):  # noqa: N818 # the same
    """`MeanSquaredError`, for a model that compares by cosine similarity."""


class BinaryCrossEntropyLoss(BinaryCrossEntropy):
    """`BinaryCrossEntropy`.

    Args:
        pos_weight: What a relevant document counts more than one that is not; None for 1.
    """


class CoSENTLoss(CoSENT):
    """`CoSENT`.

    Args:
        scale: What score differences are multiplied by; a temperature of ``1 / scale``.
    """

    def __init__(self, scale: float = 20.0) -> None:
        super().__init__(_inverse(self, scale=scale))


class TripletLoss(TripletMargin):
    """`TripletMargin`; of distances, where the model compares by ``l2`` or by cosine similarity.

    Args:
        triplet_margin: The margin.
    """

    def __init__(self, triplet_margin: float = 5.0) -> None:
        super().__init__(triplet_margin)


class RankNetLoss(LambdaLoss):
    """`LambdaLoss` without weights.

    Args:
        k: As in `LambdaLoss`.
        sigma: What score differences are multiplied by.
        reduction_log: As in `LambdaLoss`; the binary logarithm is 1.44 times what `RankNet` has.
    """

    def __init__(
        self, k: int | None = None, sigma: float = 1.0, reduction_log: Literal["natural", "binary"] = "binary"
    ) -> None:
        super().__init__("none", k, sigma, reduction_log=reduction_log)


class ListNetLoss(ListNet):
    """`ListNet` without a temperature."""

    def __init__(self) -> None:
        super().__init__()


class ListMLELoss(ListMLE):
    """`ListMLE` without a temperature.

    Args:
        respect_input_order: Whether documents come in their ideal order already, and targets are not looked at.
    """

    def __init__(self, respect_input_order: bool = True) -> None:
        super().__init__(respect_input_order=respect_input_order)


class PListMLELoss(PListMLE):
    """`PListMLE` without a temperature.

    Args:
        respect_input_order: Whether documents come in their ideal order already, and targets are not looked at.
    """

    def __init__(self, respect_input_order: bool = True) -> None:
        super().__init__(respect_input_order=respect_input_order)


class ADRMSELoss(ADRMSE):
    """`ADRMSE`.

    Args:
        alpha: What score differences are multiplied by; a temperature of ``1 / alpha``.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(_inverse(self, alpha=alpha))


class FlopsLoss(FLOPSRegularization):
    """`FLOPSRegularization` with weights of 1.

    Args:
        threshold: Texts of no more terms count as sparse enough; None for none.
    """

    def __init__(self, threshold: int | None = None) -> None:
        super().__init__(1.0, 1.0, threshold, threshold)


class SpladeLoss(LossFunction):
    """A loss, and `FLOPSRegularization`, in one sum.

    Two losses of a module are the same, and are logged apart: ``[loss, FLOPSRegularization(...)]``.

    Args:
        loss: The loss.
        document_regularizer_weight: What the penalty of the documents is multiplied by.
        query_regularizer_weight: What that of the queries is multiplied by; None for 0.
        document_regularizer_threshold: Documents of no more terms count as sparse enough; None for none.
        query_regularizer_threshold: The same of queries.
    """

    needs_embeddings = True

    def __init__(
        self,
        loss: LossFunction,
        document_regularizer_weight: float,
        query_regularizer_weight: float | None = None,
        *,
        document_regularizer_threshold: int | None = None,
        query_regularizer_threshold: int | None = None,
    ) -> None:
        self.loss = loss
        self.regularizer = FLOPSRegularization(
            query_regularizer_weight or 0.0,
            document_regularizer_weight,
            query_regularizer_threshold,
            document_regularizer_threshold,
        )
        self.needs_all_scores = loss.needs_all_scores
        self.needs_targets = loss.needs_targets
        self.compares = loss.compares

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss; the batch must have embeddings."""
        return self.loss.compute(batch) + self.regularizer.compute(batch)


class MatryoshkaLoss(Matryoshka):
    """`Matryoshka`.

    Args:
        loss: The loss.
        matryoshka_dims: The widths.
        matryoshka_weights: What the loss of each width is multiplied by; None for 1.
        n_dims_per_step: How many of the widths a step has; -1 for all.
    """

    def __init__(
        self,
        loss: LossFunction,
        matryoshka_dims: Sequence[int],
        matryoshka_weights: Sequence[float] | None = None,
        n_dims_per_step: int = -1,
    ) -> None:
        super().__init__(loss, matryoshka_dims, matryoshka_weights, None if n_dims_per_step == -1 else n_dims_per_step)


def _inverse(loss: LossFunction, **value: float) -> float:
    check_positive(loss, **value)
    (factor,) = value.values()
    return 1 / factor
