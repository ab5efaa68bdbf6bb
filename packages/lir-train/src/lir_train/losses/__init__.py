"""The losses, by what they compare: other queries' documents, pairs, lists, a teacher."""

from lir_train.losses.distillation import KLDivergence, SupervisedMarginMSE
from lir_train.losses.in_batch import InBatchCrossEntropy
from lir_train.losses.loss import Embedded, LossFunction, LossInput, Texts
from lir_train.losses.pairwise import RankNet

__all__ = [
    "Embedded",
    "InBatchCrossEntropy",
    "KLDivergence",
    "LossFunction",
    "LossInput",
    "RankNet",
    "SupervisedMarginMSE",
    "Texts",
]
