"""Retrieval models: bi-encoders and cross-encoders that encode, score and rank.

>>> from lir_models import BiEncoderModel
>>> model = BiEncoderModel.from_pretrained("sentence-transformers/all-MiniLM-L6-v2")  # doctest: +SKIP
>>> model.score("What is the capital of Germany?", ["Berlin is the capital.", "Paris is in France."])  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lir_models.config import BiEncoderConfig, CrossEncoderConfig
from lir_models.errors import LirModelsError
from lir_models.families.coil import CoilConfig, UniCoilConfig
from lir_models.families.col import ColConfig
from lir_models.families.dpr import DprConfig
from lir_models.families.mono import MonoConfig
from lir_models.families.mvr import MvrConfig
from lir_models.families.set_encoder import SetEncoderConfig
from lir_models.families.splade import SpladeConfig
from lir_models.families.static import StaticConfig
from lir_models.fields import DenseLayer, NormLayer

if TYPE_CHECKING:
    from lir_models.bi_encoder import BiEncoderModel
    from lir_models.cross_encoder import CrossEncoderModel
    from lir_models.loading import detect, load_model, read_config
    from lir_models.model_card import ModelCard
    from lir_models.outputs import RankedDocument, ScoreOutput
    from lir_models.parallel import ModelPool
    from lir_models.registry import register_checkpoint

__all__ = [
    "BiEncoderConfig",
    "BiEncoderModel",
    "CoilConfig",
    "ColConfig",
    "CrossEncoderConfig",
    "CrossEncoderModel",
    "DenseLayer",
    "DprConfig",
    "LirModelsError",
    "ModelCard",
    "ModelPool",
    "MonoConfig",
    "MvrConfig",
    "NormLayer",
    "RankedDocument",
    "ScoreOutput",
    "SetEncoderConfig",
    "SpladeConfig",
    "StaticConfig",
    "UniCoilConfig",
    "detect",
    "load_model",
    "read_config",
    "register_checkpoint",
]

# These import torch, so they wait until they are asked for.
_LAZY = {
    "ModelCard": "model_card",
    "ModelPool": "parallel",
    "BiEncoderModel": "bi_encoder",
    "CrossEncoderModel": "cross_encoder",
    "RankedDocument": "outputs",
    "ScoreOutput": "outputs",
    "detect": "loading",
    "load_model": "loading",
    "read_config": "loading",
    "register_checkpoint": "registry",
}


# Names of Lightning IR that its users import, and what is written here.
_ELSEWHERE = {
    "SingleVectorBiEncoderConfig": "it is DprConfig",
    "MultiVectorBiEncoderConfig": "it is ColConfig",
    "LightningIRModel": "load_model, or BiEncoderModel and CrossEncoderModel, load a model",
    **dict.fromkeys(
        ("CoilModel", "ColModel", "DprModel", "MvrModel", "SpladeModel", "UniCoilModel"),
        "BiEncoderModel makes the model of any config",
    ),
    **dict.fromkeys(("MonoModel", "SetEncoderModel"), "CrossEncoderModel makes the model of any config"),
    **dict.fromkeys(
        ("BiEncoderTokenizer", "CrossEncoderTokenizer", "LightningIRTokenizer"), "a model brings its tokenizer"
    ),
}


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        raise ImportError(f"lir_models has no {name}: {_ELSEWHERE[name]}.")
    if name not in _LAZY:
        raise AttributeError(f"module 'lir_models' has no attribute '{name}'")
    return getattr(import_module(f"lir_models.{_LAZY[name]}"), name)
