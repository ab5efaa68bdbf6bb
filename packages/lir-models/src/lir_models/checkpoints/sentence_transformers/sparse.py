"""Sparse encoders: a masked language model and SpladePooling; for queries without a backbone, SparseStaticEmbedding."""

from collections.abc import Mapping
from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import Settings, read_settings, read_settings_if_there, read_weights, write_json
from lir_models.checkpoints.safety import inside
from lir_models.checkpoints.sentence_transformers.modules import (
    ROUTER,
    Chain,
    not_said_of_case,
    read_prompts,
    read_similarity,
    similarity_settings,
    write_chain,
    write_settings,
)
from lir_models.checkpoints.sentence_transformers.transformer import read_transformer, write_transformer
from lir_models.errors import CheckpointError
from lir_models.families.splade import SpladeConfig
from lir_models.fields import Side, Sparsification

_STATIC = ["SparseStaticEmbedding"]
_CONTEXTUALIZED = (["Transformer", "SpladePooling"], ["MLMTransformer", "SpladePooling"])
_ACTIVATIONS: dict[str, Sparsification] = {"relu": "relu_log", "log1p_relu": "relu_2xlog"}
_POOLINGS = ("max", "sum")
_CLASSES = "sentence_transformers.sparse_encoder.models."


def detect(chains: Mapping[Side, Chain], settings: Settings) -> bool:
    """Whether documents are weighed by these modules, and queries by them or without a backbone."""
    del settings
    names = {side: [module.name for module in chain] for side, chain in chains.items()}
    return names["doc"] in _CONTEXTUALIZED and names["query"] in (*_CONTEXTUALIZED, _STATIC)


def read(folder: Path, chains: Mapping[Side, Chain], settings: Settings) -> Checkpoint:
    """Read the config."""
    query, doc = chains["query"], chains["doc"]
    is_static = query[0].name == _STATIC[0]
    splade = doc[1].settings
    activation, pooling = splade.text("activation_function", "relu"), splade.text("pooling_strategy", "max")
    if activation not in _ACTIVATIONS or pooling not in _POOLINGS:
        raise CheckpointError(
            f"'{splade.path}' has the activation '{activation}' and the pooling '{pooling}'; known are "
            f"{', '.join(_ACTIVATIONS)}, and {', '.join(_POOLINGS)}."
        )
    if not is_static and query[1].settings != splade:
        raise CheckpointError(f"'{folder}' pools queries in another way than documents; lir pools both alike.")
    documents = read_transformer(doc[0])
    queries = documents if is_static else read_transformer(query[0])
    if queries.lowercase != documents.lowercase or (is_static and documents.lowercase):
        raise CheckpointError(f"'{folder}' lower-cases documents or queries alone; lir does both or none.")
    prompts = read_prompts(settings, lowercase=documents.lowercase)
    config = SpladeConfig(
        similarity_function=read_similarity(settings, "dot"),
        query_pooling_strategy=pooling,  # pyright: ignore[reportArgumentType]
        doc_pooling_strategy=pooling,  # pyright: ignore[reportArgumentType]
        sparsification_strategy=_ACTIVATIONS[activation],
        query_weighting="static" if is_static else "contextualized",
        query_expansion=not is_static,
        query_length=None if is_static else queries.lengths["query"],
        doc_length=documents.lengths["doc"],
        query_prompt=prompts["query"],
        doc_prompt=prompts["doc"],
        lowercase=documents.lowercase,
        max_active_dims=settings.number("max_active_dims"),
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
    path = read_settings_if_there(folder / "config.json").text("path")
    if not path:
        return {"weight": read_weights(folder)["weight"].reshape(-1)}
    import torch

    from lir_models.backbone import load_tokenizer

    tokenizer = load_tokenizer(folder)
    weights = torch.zeros(len(tokenizer.tokenizer))
    values = read_settings(inside(folder, path))
    for term, weight in values.items():
        if not isinstance(weight, int | float):
            raise CheckpointError(f"'{values.path}' has the weight {weight!r} of '{term}'; it must be a number.")
        if tokenizer.has_token(term):
            weights[tokenizer.token_id(term)] = weight
    return {"weight": weights}


def not_said(config: SpladeConfig) -> str:
    """Name what sentence-transformers has no word for; empty if it can say all of the config."""
    if type(config) is not SpladeConfig:
        return f"a {type(config).__name__}"
    if config.query_pooling_strategy != config.doc_pooling_strategy or config.doc_pooling_strategy not in _POOLINGS:
        return f"the poolings {config.query_pooling_strategy!r} and {config.doc_pooling_strategy!r} of term weights"
    if config.sparsification_strategy not in _ACTIVATIONS.values():
        return f"sparsification_strategy {config.sparsification_strategy!r}"
    if not config.doc_expansion or (config.query_weighting == "contextualized" and not config.query_expansion):
        return "weights of a text's own terms alone that the backbone gives"
    is_static = config.query_weighting != "contextualized"
    if is_static and config.lowercase:
        return "lower-cased queries without a backbone"
    for field in ("query_mask_scoring_tokens", "doc_mask_scoring_tokens", "add_marker_tokens"):
        if getattr(config, field):
            return f"{field} {getattr(config, field)!r}"
    return not_said_of_case(config)


def write(folder: Path, config: SpladeConfig, heads: Mapping[Side, HeadWeights], vocab_size: int) -> None:
    """Write the modules after the backbone, which lies in its folder already."""
    lengths: dict[Side, int | None] = {"query": config.query_length, "doc": config.doc_length}
    if config.query_weighting == "contextualized" and config.shared_encoder:
        folders = write_chain(folder, [_CLASSES + "MLMTransformer", _CLASSES + "SpladePooling"])
        _write_contextualized(folders, config, lengths, vocab_size)
    else:
        write_chain(folder, ["sentence_transformers.models.Router"])
        routes = {"document": _contextualized("document")}
        routes["query"] = ["query_0_SparseStaticEmbedding"]
        if config.query_weighting == "contextualized":
            routes["query"] = _contextualized("query")
            of_queries = dict.fromkeys(lengths, config.query_length)
            _write_contextualized([folder / name for name in routes["query"]], config, of_queries, vocab_size)
        else:
            _write_static(folder / routes["query"][0], config, heads["query"], vocab_size)
        of_docs = dict.fromkeys(lengths, config.doc_length)
        _write_contextualized([folder / name for name in routes["document"]], config, of_docs, vocab_size)
        types = {key: _CLASSES + key.rpartition("_")[2] for keys in routes.values() for key in keys}
        parameters = {"default_route": "document", "allow_empty_key": True}
        write_json(folder / ROUTER, {"types": types, "structure": routes, "parameters": parameters})
    write_settings(
        folder, model_type="SparseEncoder", max_active_dims=config.max_active_dims, **similarity_settings(config)
    )


def _contextualized(route: str) -> list[str]:
    return [f"{route}_0_MLMTransformer", f"{route}_1_SpladePooling"]


def _write_contextualized(
    folders: list[Path], config: SpladeConfig, lengths: Mapping[Side, int | None], vocab_size: int
) -> None:
    write_transformer(folders[0], lengths, lowercase=config.lowercase)
    names = {ours: theirs for theirs, ours in _ACTIVATIONS.items()}
    values = {
        "pooling_strategy": config.doc_pooling_strategy,
        "activation_function": names[config.sparsification_strategy],
        "word_embedding_dimension": vocab_size,
    }
    write_json(folders[1] / "config.json", values)


def _write_static(folder: Path, config: SpladeConfig, heads: HeadWeights, vocab_size: int) -> None:
    import torch
    from safetensors.torch import save_file

    write_json(folder / "config.json", {"frozen": False})
    save_file({"weight": heads.get("weight", torch.ones(vocab_size))}, folder / "model.safetensors")
    if config.query_length is not None:
        # The module has no length of its own: it asks its tokenizer.
        tokenizer = read_settings(folder / "tokenizer_config.json")
        write_json(folder / "tokenizer_config.json", {**tokenizer, "model_max_length": config.query_length})
