"""Losses, Lightning modules and the trainer.

>>> from lir_train import BiEncoderModule, InBatchCrossEntropy, LightningIRTrainer
>>> module = BiEncoderModule("bert-base-uncased", loss_functions=[InBatchCrossEntropy()])  # doctest: +SKIP
>>> LightningIRTrainer(max_steps=1000).fit(module, data_module)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from lir_train.attribute_schedulers import (
    GenericConstantSchedulerWithLinearWarmup,
    GenericConstantSchedulerWithQuadraticWarmup,
    GenericLinearSchedulerWithLinearWarmup,
)
from lir_train.bi_encoder_module import BiEncoderModule
from lir_train.callbacks import ReRankCallback
from lir_train.checkpoints import LightningIRModelCheckpoint, read_checkpoint
from lir_train.cross_encoder_module import CrossEncoderModule
from lir_train.data_module import LightningIRDataModule
from lir_train.errors import LirTrainError
from lir_train.losses import (
    ADRMSE,
    ADRMSELoss,
    ApproxMRR,
    ApproxNDCG,
    ApproxRankMSE,
    BinaryCrossEntropy,
    BinaryCrossEntropyLoss,
    CachedMultipleNegativesRankingLoss,
    ConstantMarginMSE,
    Contrastive,
    ContrastiveLocalLoss,
    CoSENT,
    CoSENTLoss,
    CosineSimilarityLoss,
    DFFLOPSRegularization,
    Distillation,
    DistillKLDivLoss,
    Embedded,
    FlopsLoss,
    FLOPSRegularization,
    GISTEmbedLoss,
    GuidedInBatchCrossEntropy,
    InBatchCrossEntropy,
    InBatchLossFunction,
    InfoNCE,
    KLDivergence,
    L1Regularization,
    L2Regularization,
    LambdaLoss,
    ListMLE,
    ListMLELoss,
    ListNet,
    ListNetLoss,
    LossFunction,
    LossInput,
    MarginMSE,
    MarginMSELoss,
    Matryoshka,
    MatryoshkaLoss,
    MeanSquaredError,
    MSELoss,
    MultipleNegativesRankingLoss,
    MultipleNegativesSymmetricRankingLoss,
    MultiPositiveInfoNCE,
    NeuralLossFunction,
    NeuralNDCG,
    PearsonCorrelation,
    PListMLE,
    PListMLELoss,
    RankNet,
    RankNetLoss,
    Regularization,
    ScoreBasedInBatchCrossEntropy,
    SpladeLoss,
    SupervisedMarginMSE,
    Texts,
    TripletLoss,
    TripletMargin,
    XtrCrossEntropy,
)
from lir_train.lr_schedulers import (
    ConstantLRSchedulerWithLinearWarmup,
    CosineLRSchedulerWithLinearWarmup,
    LinearLRSchedulerWithLinearWarmup,
)
from lir_train.module import LightningIRModule
from lir_train.optimization import ParameterGroup
from lir_train.text_module import TextModule
from lir_train.trainer import LightningIRTrainer

__all__ = [
    "ADRMSE",
    "ADRMSELoss",
    "ApproxMRR",
    "ApproxNDCG",
    "ApproxRankMSE",
    "BiEncoderModule",
    "BinaryCrossEntropy",
    "BinaryCrossEntropyLoss",
    "CachedMultipleNegativesRankingLoss",
    "CoSENT",
    "CoSENTLoss",
    "ConstantLRSchedulerWithLinearWarmup",
    "ConstantMarginMSE",
    "Contrastive",
    "ContrastiveLocalLoss",
    "CosineLRSchedulerWithLinearWarmup",
    "CosineSimilarityLoss",
    "CrossEncoderModule",
    "DFFLOPSRegularization",
    "DistillKLDivLoss",
    "Distillation",
    "Embedded",
    "FLOPSRegularization",
    "FlopsLoss",
    "GISTEmbedLoss",
    "GenericConstantSchedulerWithLinearWarmup",
    "GenericConstantSchedulerWithQuadraticWarmup",
    "GenericLinearSchedulerWithLinearWarmup",
    "GuidedInBatchCrossEntropy",
    "InBatchCrossEntropy",
    "InBatchLossFunction",
    "InfoNCE",
    "KLDivergence",
    "L1Regularization",
    "L2Regularization",
    "LambdaLoss",
    "LightningIRDataModule",
    "LightningIRModelCheckpoint",
    "LightningIRModule",
    "LightningIRTrainer",
    "LinearLRSchedulerWithLinearWarmup",
    "LirTrainError",
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
    "ParameterGroup",
    "PearsonCorrelation",
    "RankNet",
    "RankNetLoss",
    "ReRankCallback",
    "Regularization",
    "ScoreBasedInBatchCrossEntropy",
    "SpladeLoss",
    "SupervisedMarginMSE",
    "TextModule",
    "Texts",
    "TripletLoss",
    "TripletMargin",
    "XtrCrossEntropy",
    "read_checkpoint",
]

# Names of Lightning IR that its users import, and what is written here.
_ELSEWHERE = {
    "RankCallback": "it is ReRankCallback to re-rank, and lir_index.SearchCallback to search",
    "RegisterLocalDatasetCallback": "lir_data.register_dataset makes local files an id, without a trainer",
    "LightningIRWandbLogger": "WandbLogger of lightning logs the same",
    "WarmupLRScheduler": "LinearLRSchedulerWithLinearWarmup is one of its kind",
    "ScoreBasedInBatchLossFunction": "it is ScoreBasedInBatchCrossEntropy",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _ELSEWHERE:
            raise ImportError(f"lir_train has no {name}: {_ELSEWHERE[name]}.")
        raise AttributeError(f"module 'lir_train' has no attribute '{name}'")
