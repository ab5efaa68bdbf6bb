"""Sparse encoders: a masked language model and SpladePooling; for queries without a backbone, SparseStaticEmbedding."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import read_json, read_json_if_there, read_weights, write_json
from lir_models.checkpoints.sentence_transformers.modules import (
    ROUTER,
    SIMILARITIES,
    Chain,
    read_prompts,
    read_similarity,
    transformer_settings,
    write_chain,
    write_settings,
    write_transformer_settings,
)
from lir_models.errors import CheckpointError
from lir_models.families.splade import SpladeConfig
from lir_models.fields import Side, Sparsification

_STATIC = ["SparseStaticEmbedding"]
_CONTEXTUALIZED = (["Transformer", "SpladePooling"], ["MLMTransformer", "SpladePooling"])
_ACTIVATIONS: dict[str, Sparsification] = {"relu": "relu_log", "log1p_relu": "relu_2xlog"}
_CLASSES = "sentence_transformers.sparse_encoder.models."


def detect(chains: Mapping[Side, Chain], settings: Mapping[str, Any]) -> bool:
    """Whether documents are weighed by these modules, and queries by them or without a backbone."""
    del settings
    names = {side: [module.name for module in chain] for side, chain in chains.items()}
    return names["doc"] in _CONTEXTUALIZED and names["query"] in (*_CONTEXTUALIZED, _STATIC)


def read(folder: Path, chains: Mapping[Side, Chain], settings: Mapping[str, Any]) -> Checkpoint:
    """Read the config."""
    query, doc = chains["query"], chains["doc"]
    is_static = query[0].name == _STATIC[0]
    splade = read_json(doc[1].folder / "config.json")
    activation = splade.get("activation_function", "relu")
    if activation not in _ACTIVATIONS:
        raise CheckpointError(f"'{folder}' has the activation '{activation}'; known are {', '.join(_ACTIVATIONS)}.")
    if not is_static and read_json(query[1].folder / "config.json") != splade:
        raise CheckpointError(f"'{folder}' pools queries in another way than documents; lir pools both alike.")
    lengths = {side: transformer_settings(chain[0].folder) for side, chain in chains.items()}
    pooling = splade.get("pooling_strategy", "max")
    prompts = read_prompts(settings)
    config = SpladeConfig(
        similarity_function=read_similarity(folder, settings.get("similarity_fn_name"), "dot"),
        query_pooling_strategy=pooling,
        doc_pooling_strategy=pooling,
        sparsification_strategy=_ACTIVATIONS[activation],
        query_weighting="static" if is_static else "contextualized",
        query_expansion=not is_static,
        query_length=lengths["query"].get("max_seq_length"),
        doc_length=lengths["doc"].get("max_seq_length"),
        query_prompt=prompts["query"],
        doc_prompt=prompts["doc"],
        lowercase=bool(lengths["doc"].get("do_lower_case", False)),
        max_active_dims=settings.get("max_active_dims"),
        shared_encoder=is_static or query == doc,
    )
    return Checkpoint(
        kind="bi-encoder",
        config=config,
        folder=doc[0].folder,
        query_folder=None if query == doc else query[0].folder,
        heads=lambda side: read_static(query[0].folder) if is_static and side == "query" else {},
    )


def read_static(folder: Path) -> HeadWeights:
    """Read the weight of each term: a tensor, or a JSON file of terms and weights."""
    path = read_json_if_there(folder / "config.json").get("path")
    if path is None:
        return {"weight": read_weights(folder)["weight"].reshape(-1)}
    import torch

    from lir_models.backbone import load_tokenizer

    tokenizer = load_tokenizer(folder)
    weights = torch.zeros(len(tokenizer.tokenizer))
    for term, weight in read_json(folder / path).items():
        if tokenizer.has_token(term):
            weights[tokenizer.token_id(term)] = weight
    return {"weight": weights}


def can_write(config: SpladeConfig) -> bool:
    """Whether sentence-transformers has a word for all that the config says."""
    return (
        type(config) is SpladeConfig
        and config.sparsification_strategy in _ACTIVATIONS.values()
        and config.query_pooling_strategy == config.doc_pooling_strategy in ("max", "sum")
        and config.doc_weighting == "contextualized"
        and config.doc_expansion
        and (config.query_expansion or config.query_weighting != "contextualized")
        and config.query_mask_scoring_tokens is config.doc_mask_scoring_tokens is None
        and not config.add_marker_tokens
    )


def write(folder: Path, config: SpladeConfig, heads: Mapping[Side, HeadWeights], vocab_size: int) -> None:
    """Write the modules after the backbone, which lies in its folder already."""
    if config.query_weighting == "contextualized" and config.shared_encoder:
        folders = write_chain(folder, [_CLASSES + "MLMTransformer", _CLASSES + "SpladePooling"])
        _write_contextualized(folders, config, "doc", vocab_size)
    else:
        write_chain(folder, ["sentence_transformers.models.Router"])
        routes = {"document": _contextualized("document")}
        routes["query"] = ["query_0_SparseStaticEmbedding"]
        if config.query_weighting == "contextualized":
            routes["query"] = _contextualized("query")
            _write_contextualized([folder / name for name in routes["query"]], config, "query", vocab_size)
        else:
            _write_static(folder / routes["query"][0], heads["query"], vocab_size)
        _write_contextualized([folder / name for name in routes["document"]], config, "doc", vocab_size)
        types = {key: _CLASSES + key.rpartition("_")[2] for keys in routes.values() for key in keys}
        parameters = {"default_route": "document", "allow_empty_key": True}
        write_json(folder / ROUTER, {"types": types, "structure": routes, "parameters": parameters})
    names = {ours: theirs for theirs, ours in SIMILARITIES.items()}
    write_settings(
        folder,
        model_type="SparseEncoder",
        prompts={"query": config.query_prompt, "document": config.doc_prompt},
        default_prompt_name=None,
        similarity_fn_name=names[config.similarity_function],
        max_active_dims=config.max_active_dims,
    )


def _contextualized(route: str) -> list[str]:
    return [f"{route}_0_MLMTransformer", f"{route}_1_SpladePooling"]


def _write_contextualized(folders: list[Path], config: SpladeConfig, side: Side, vocab_size: int) -> None:
    length = config.query_length if side == "query" else config.doc_length
    write_transformer_settings(folders[0], length=length, lowercase=config.lowercase)
    names = {ours: theirs for theirs, ours in _ACTIVATIONS.items()}
    values = {
        "pooling_strategy": config.doc_pooling_strategy,
        "activation_function": names[config.sparsification_strategy],
        "word_embedding_dimension": vocab_size,
    }
    write_json(folders[1] / "config.json", values)


def _write_static(folder: Path, heads: HeadWeights, vocab_size: int) -> None:
    import torch
    from safetensors.torch import save_file

    write_json(folder / "config.json", {"frozen": False})
    save_file({"weight": heads.get("weight", torch.ones(vocab_size))}, folder / "model.safetensors")
