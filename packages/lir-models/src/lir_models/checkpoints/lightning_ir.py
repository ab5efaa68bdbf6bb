"""Lightning IR's folders: the backbone's settings and the rule in one config.json, with a ``backbone_model_type``."""

from pathlib import Path
from typing import Any

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import Settings, read_settings, read_settings_if_there, read_weights, weight_names
from lir_models.config import BiEncoderConfig, CrossEncoderConfig
from lir_models.errors import CheckpointError, did_you_mean
from lir_models.families.coil import CoilConfig, UniCoilConfig
from lir_models.families.col import ColConfig
from lir_models.families.dpr import DprConfig
from lir_models.families.mono import MonoConfig
from lir_models.families.mvr import MvrConfig
from lir_models.families.set_encoder import SetEncoderConfig
from lir_models.families.splade import SpladeConfig
from lir_models.fields import T5_KINDS, DenseLayer, Side

_BI_ENCODERS: dict[str, type[BiEncoderConfig]] = {
    "lir-dpr": DprConfig,
    "dpr": DprConfig,
    "single-vector-bi-encoder": BiEncoderConfig,
    "multi-vector-bi-encoder": BiEncoderConfig,
    "bi-encoder": BiEncoderConfig,
    "lir-bi-encoder": BiEncoderConfig,
    "col": ColConfig,
    "splade": SpladeConfig,
    "coil": CoilConfig,
    "unicoil": UniCoilConfig,
    "mvr": MvrConfig,
}
_CROSS_ENCODERS: dict[str, type[MonoConfig]] = {
    "mono": MonoConfig,
    "cross-encoder": MonoConfig,
    "set-encoder": SetEncoderConfig,
}

# Fields that both have under one name.
_SAME = (
    "similarity_function",
    "query_length",
    "doc_length",
    "normalization_strategy",
    "sparsification_strategy",
    "query_pooling_strategy",
    "doc_pooling_strategy",
    "add_marker_tokens",
    "query_expansion",
    "doc_expansion",
    "attend_to_query_expanded_tokens",
    "attend_to_doc_expanded_tokens",
    "query_mask_scoring_tokens",
    "doc_mask_scoring_tokens",
    "query_aggregation_function",
    "doc_aggregation_function",
    "query_weighting",
    "doc_weighting",
    "token_embedding_dim",
    "cls_embedding_dim",
    "num_viewer_tokens",
    "k_train",
)
# Where the head of a masked language model went, in the names of either of Lightning IR's versions, and its own names.
_MLM_HEADS: dict[str, dict[str, str]] = {
    "bert": {
        r"^(?:bert\.)?projection\.predictions\.": "cls.predictions.",
        r"^(?:bert\.)?projection\.dense\.": "cls.predictions.transform.dense.",
        r"^(?:bert\.)?projection\.norm\.": "cls.predictions.transform.LayerNorm.",
        r"^(?:bert\.)?projection\.decoder\.bias": "cls.predictions.bias",
        r"^(?:bert\.)?projection\.decoder\.weight": "cls.predictions.decoder.weight",
    },
    "distilbert": {
        r"^(?:distilbert\.)?projection\.vocab_": "vocab_",
        r"^(?:distilbert\.)?projection\.dense\.": "vocab_transform.",
        r"^(?:distilbert\.)?projection\.norm\.": "vocab_layer_norm.",
        r"^(?:distilbert\.)?projection\.decoder\.": "vocab_projector.",
    },
    "roberta": {
        r"^(?:roberta\.)?projection\.dense\.": "lm_head.dense.",
        r"^(?:roberta\.)?projection\.norm\.": "lm_head.layer_norm.",
        r"^(?:roberta\.)?projection\.decoder\.bias": "lm_head.bias",
        r"^(?:roberta\.)?projection\.decoder\.weight": "lm_head.decoder.weight",
    },
    "modernbert": {
        r"^(?:model\.)?projection\.dense\.": "head.dense.",
        r"^(?:model\.)?projection\.norm\.": "head.norm.",
        r"^(?:model\.)?projection\.decoder\.": "decoder.",
    },
}
_HEADS = (
    "projection.",
    "token_projection.",
    "cls_projection.",
    "query_weights.",
    "doc_weights.",
    "linear.",
    "bert_pool.",
)


def detect(folder: Path) -> bool:
    """Whether config.json names a backbone's kind beside the model's own."""
    return "backbone_model_type" in read_settings_if_there(folder / "config.json")


def read(folder: Path) -> Checkpoint:
    """Read config and backbone settings."""
    values = read_settings(folder / "config.json")
    kind, backbone_type = values.text("model_type"), values.text("backbone_model_type")
    if kind in _CROSS_ENCODERS:
        return Checkpoint(
            kind="cross-encoder",
            config=_cross_encoder(kind, values, folder),
            folder=folder,
            backbone_config={**values, "model_type": backbone_type},
            heads=lambda side: _heads(folder, side, values),
        )
    if kind not in _BI_ENCODERS:
        known = [*_BI_ENCODERS, *_CROSS_ENCODERS]
        raise CheckpointError(
            f"'{folder}' is a Lightning IR model of the type '{kind}'; lir reads {', '.join(known)}."
            f"{did_you_mean(kind, known)}"
        )
    is_splade = kind == "splade"
    if is_splade and backbone_type not in _MLM_HEADS:
        raise CheckpointError(f"'{folder}' is a SPLADE on '{backbone_type}'; lir reads {', '.join(_MLM_HEADS)}.")
    return Checkpoint(
        kind="bi-encoder",
        config=_bi_encoder(_BI_ENCODERS[kind], values, folder),
        folder=folder,
        query_folder=None,
        backbone_config={**values, "model_type": backbone_type},
        key_mapping=_MLM_HEADS[backbone_type] if is_splade else None,
        heads=lambda side: _heads(folder, side, values),
    )


def _bi_encoder(family: type[BiEncoderConfig], values: Settings, folder: Path) -> BiEncoderConfig:
    fields: dict[str, Any] = {
        name: values[name] for name in _SAME if name in values and name in family.__dataclass_fields__
    }
    # Names of earlier versions.
    if values.get("normalize"):
        fields["normalization_strategy"] = "l2"
    if "sparsification" in values:
        fields["sparsification_strategy"] = values["sparsification"]
    if "pooling_strategy" in values and family in (DprConfig, SpladeConfig, BiEncoderConfig):
        fields["query_pooling_strategy"] = fields["doc_pooling_strategy"] = values["pooling_strategy"]
    if values.text("model_type") == "multi-vector-bi-encoder":
        fields["query_pooling_strategy"] = fields["doc_pooling_strategy"] = None
    if family is UniCoilConfig:
        # Lightning IR keeps the weight of a repeated token's last place.
        fields["query_pooling_strategy"] = fields["doc_pooling_strategy"] = "last"
    if family in (CoilConfig, UniCoilConfig):
        fields["projection"] = values.get("projection", "linear")
        fields.pop("sparsification_strategy", None)
    elif family is not SpladeConfig:
        fields["projection"] = _layer(values, folder)
        fields["embedding_dim"] = None
    fields |= {"query_marker": "[QUE]", "doc_marker": "[DOC]"}
    return family.from_json(fields)


def _layer(values: Settings, folder: Path) -> tuple[DenseLayer, ...] | None:
    """Return the layer after the backbone; the generic kinds have none."""
    projection = values.text("projection")
    if not projection:
        return None
    hidden_size = values.number("hidden_size") or values.number("dim") or values.number("d_model", 0)
    out = values.number("embedding_dim") or (128 if values.text("model_type") == "col" else hidden_size)
    if weight_names(folder):
        # The configuration does not always say how wide the layer is, nor always what it is.
        out = next((len(weight) for weight in read_weights(folder, _is_projection).values()), out)
    return (DenseLayer(in_features=hidden_size, out_features=out, bias="no_bias" not in projection),)


def _is_projection(name: str) -> bool:
    return f".{name}".endswith(".projection.weight")


def _cross_encoder(kind: str, values: Settings, folder: Path) -> CrossEncoderConfig:
    fields: dict[str, Any] = {
        "query_length": values.get("query_length"),
        "doc_length": values.get("doc_length"),
        "scoring_strategy": values.get("scoring_strategy", "rank"),
        "linear_bias": values.get("linear_bias", False),
    }
    if values.text("backbone_model_type") not in T5_KINDS:
        fields["pooling_strategy"] = values.get("pooling_strategy", "first")
    if kind == "set-encoder":
        fields["add_extra_token"] = values.get("add_extra_token", False)
    names = [f".{name}" for name in weight_names(folder)]
    if names:
        # The configuration does not always say which layers there are.
        fields["linear_bias"] = any(name.endswith(".linear.bias") for name in names)
        if any(".bert_pool." in name for name in names):
            fields["pooling_strategy"] = "bert_pool"
    return _CROSS_ENCODERS[kind].from_json(fields)


def _heads(folder: Path, side: Side, values: Settings) -> HeadWeights:
    """Read the heads' weights, by the names that they have in lir; each may stand under the backbone's prefix."""
    is_static = values.get(f"{side}_weighting") == "static"
    found: HeadWeights = {}
    for name, weight in read_weights(folder, lambda name: any(f".{head}" in f".{name}" for head in _HEADS)).items():
        start = min(f".{name}".find(f".{head}") for head in _HEADS if f".{head}" in f".{name}")
        found[name[start:]] = weight
    if is_static:
        return {"weight": found[f"{side}_weights.weight"].reshape(-1)}
    return {
        name.replace("projection.", "layers.0.linear.", 1) if name.startswith("projection.") else name: weight
        for name, weight in found.items()
    }
