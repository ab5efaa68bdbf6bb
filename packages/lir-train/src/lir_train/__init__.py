"""Losses, Lightning modules and the trainer.

>>> from lir_train import BiEncoderModule, InBatchCrossEntropy, LightningIRTrainer
>>> module = BiEncoderModule("bert-base-uncased", loss_functions=[InBatchCrossEntropy()])  # doctest: +SKIP
>>> LightningIRTrainer(max_steps=1000).fit(module, data_module)  # doctest: +SKIP
"""

from lir_train.attribute_schedulers import (
    GenericConstantSchedulerWithLinearWarmup,
    GenericConstantSchedulerWithQuadraticWarmup,
    GenericLinearSchedulerWithLinearWarmup,
)
from lir_train.bi_encoder_module import BiEncoderModule
from lir_train.callbacks import ReRankCallback
from lir_train.cross_encoder_module import CrossEncoderModule
from lir_train.data_module import LightningIRDataModule
from lir_train.errors import LirTrainError
from lir_train.losses import InBatchCrossEntropy, KLDivergence, LossFunction, LossInput, RankNet, SupervisedMarginMSE
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
    "BiEncoderModule",
    "ConstantLRSchedulerWithLinearWarmup",
    "CosineLRSchedulerWithLinearWarmup",
    "CrossEncoderModule",
    "GenericConstantSchedulerWithLinearWarmup",
    "GenericConstantSchedulerWithQuadraticWarmup",
    "GenericLinearSchedulerWithLinearWarmup",
    "InBatchCrossEntropy",
    "KLDivergence",
    "LightningIRDataModule",
    "LightningIRModule",
    "LightningIRTrainer",
    "LinearLRSchedulerWithLinearWarmup",
    "LirTrainError",
    "LossFunction",
    "LossInput",
    "ParameterGroup",
    "RankNet",
    "ReRankCallback",
    "SupervisedMarginMSE",
    "TextModule",
]
