"""The losses, by what they compare: single documents, pairs, lists, a teacher, other queries' documents."""

from lir_train.losses.aliases import (
    ADRMSELoss,
    BinaryCrossEntropyLoss,
    CachedMultipleNegativesRankingLoss,
    Contrastive,
    CoSENTLoss,
    CosineSimilarityLoss,
    Distillation,
    DistillKLDivLoss,
    FlopsLoss,
    GISTEmbedLoss,
    ListMLELoss,
    ListNetLoss,
    MarginMSELoss,
    MatryoshkaLoss,
    MSELoss,
    MultipleNegativesRankingLoss,
    MultipleNegativesSymmetricRankingLoss,
    PListMLELoss,
    RankNetLoss,
    SpladeLoss,
    TripletLoss,
)
from lir_train.losses.approximate import (
    ADRMSE,
    ApproxMRR,
    ApproxNDCG,
    ApproxRankMSE,
)
from lir_train.losses.cosent import (
    CoSENT,
)
from lir_train.losses.distillation import (
    KLDivergence,
)
from lir_train.losses.guided import (
    GuidedInBatchCrossEntropy,
)
from lir_train.losses.in_batch import (
    InBatchCrossEntropy,
    InBatchLossFunction,
    ScoreBasedInBatchCrossEntropy,
)
from lir_train.losses.lambda_loss import (
    LambdaLoss,
)
from lir_train.losses.list_mle import (
    ListMLE,
    PListMLE,
)
from lir_train.losses.listwise import (
    InfoNCE,
    ListNet,
    MultiPositiveInfoNCE,
    PearsonCorrelation,
)
from lir_train.losses.loss import (
    Embedded,
    LossFunction,
    LossInput,
    Texts,
)
from lir_train.losses.matryoshka import (
    Matryoshka,
)
from lir_train.losses.multi_vector import (
    ContrastiveLocalLoss,
    XtrCrossEntropy,
)
from lir_train.losses.neural_sort import (
    NeuralLossFunction,
    NeuralNDCG,
)
from lir_train.losses.pairwise import (
    ConstantMarginMSE,
    MarginMSE,
    RankNet,
    SupervisedMarginMSE,
    TripletMargin,
)
from lir_train.losses.pointwise import (
    BinaryCrossEntropy,
    MeanSquaredError,
)
from lir_train.losses.regularizers import (
    DFFLOPSRegularization,
    FLOPSRegularization,
    L1Regularization,
    L2Regularization,
    Regularization,
)

__all__ = [
    "ADRMSE",
    "ADRMSELoss",
    "ApproxMRR",
    "ApproxNDCG",
    "ApproxRankMSE",
    "BinaryCrossEntropy",
    "BinaryCrossEntropyLoss",
    "CachedMultipleNegativesRankingLoss",
    "CoSENT",
    "CoSENTLoss",
    "ConstantMarginMSE",
    "Contrastive",
    "ContrastiveLocalLoss",
    "CosineSimilarityLoss",
    "DFFLOPSRegularization",
    "DistillKLDivLoss",
    "Distillation",
    "Embedded",
    "FLOPSRegularization",
    "FlopsLoss",
    "GISTEmbedLoss",
    "GuidedInBatchCrossEntropy",
    "InBatchCrossEntropy",
    "InBatchLossFunction",
    "InfoNCE",
    "KLDivergence",
    "L1Regularization",
    "L2Regularization",
    "LambdaLoss",
    "ListMLE",
    "ListMLELoss",
    "ListNet",
    "ListNetLoss",
    "LossFunction",
    "LossInput",
    "MSELoss",
    "MarginMSE",
    "MarginMSELoss",
    "Matryoshka",
    "MatryoshkaLoss",
    "MeanSquaredError",
    "MultiPositiveInfoNCE",
    "MultipleNegativesRankingLoss",
    "MultipleNegativesSymmetricRankingLoss",
    "NeuralLossFunction",
    "NeuralNDCG",
    "PListMLE",
    "PListMLELoss",
    "PearsonCorrelation",
    "RankNet",
    "RankNetLoss",
    "Regularization",
    "ScoreBasedInBatchCrossEntropy",
    "SpladeLoss",
    "SupervisedMarginMSE",
    "Texts",
    "TripletLoss",
    "TripletMargin",
    "XtrCrossEntropy",
]
