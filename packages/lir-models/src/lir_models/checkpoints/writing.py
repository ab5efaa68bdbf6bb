"""Saving a model: the backbone as transformers has it, ``lir.json``, and what other libraries ask for.

Those load a folder without asking whether they do all that the rule says. So the folder has their files only where they have
a word for each field of it, and their scores are the same; else the card says that it is lir's alone, and so does the log.
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from lir_models.backbone import quiet
from lir_models.checkpoints import lir
from lir_models.checkpoints.activations import ACTIVATION_PATHS
from lir_models.checkpoints.checkpoint import HeadWeights
from lir_models.checkpoints.sentence_transformers import cross_encoder, dense, pylate, sparse, static
from lir_models.checkpoints.whole import written_whole
from lir_models.config import BiEncoderConfig
from lir_models.families.col import ColConfig
from lir_models.families.splade import SpladeConfig
from lir_models.families.static import StaticConfig
from lir_models.fields import Side
from lir_models.heads.ranking import T5Ranker
from lir_models.heads.vocabulary import VocabularyHead
from lir_models.model_card import ModelCard, write_model_card

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lir_models.adapters import Part
    from lir_models.bi_encoder import BiEncoderModel
    from lir_models.cross_encoder import CrossEncoderModel
    from lir_models.encoder import Encoder

logger = logging.getLogger(__name__)

# Where versions of sentence-transformers before 5.4, and before 4, look for the activation.
_ACTIVATION_KEYS = ("sentence_transformers", "sbert_ce_default_activation_function")

_said: "WeakKeyDictionary[nn.Module, str]" = WeakKeyDictionary()


def save_bi_encoder(model: "BiEncoderModel", folder: Path, *, overwrite: bool, card: ModelCard) -> None:
    """Save a bi-encoder, whole or not at all."""
    from lir_models.encoder import Encoder

    config = model.config
    heads: dict[Side, HeadWeights] = {side: _head_weights(model, side) for side in ("query", "doc")}
    not_said = _bi_encoder_not_said(model)
    is_routed = model.query_encoder is not None and not not_said
    with written_whole(folder, overwrite=overwrite) as place, quiet():
        doc_folder = place / _encoder_folder(model, "document") if is_routed else place
        _save_encoder(model.encoder, doc_folder)
        folders = {"encoder": doc_folder.relative_to(place)}
        query = model.query_encoder
        if query is not None:
            if isinstance(query, Encoder):
                query_folder = place / (_encoder_folder(model, "query") if is_routed else "query_encoder")
                _save_encoder(query, query_folder)
            else:
                query_folder = place / (lir.STATIC_FOLDER if is_routed else "query_encoder")
                query.tokenizer.save(query_folder)
            folders["query_encoder"] = query_folder.relative_to(place)
        lir.write(place, "bi-encoder", config, folders)
        for side in ("query", "doc") if query is not None or model.doc_encoder is not None else ("doc",):
            if heads[side]:
                lir.write_heads(place, heads[side], side)
        if not not_said:
            _write_for_others(model, place, heads)
        write_model_card(place, folder.name, config, card, not_said=not_said)
    _say(model, folder, not_said)


def save_cross_encoder(model: "CrossEncoderModel", folder: Path, *, overwrite: bool, card: ModelCard) -> None:
    """Save a cross-encoder, whole or not at all."""
    config: Any = model.config
    not_said = _cross_encoder_not_said(model)
    settings: Any = model.backbone.config
    for key in _ACTIVATION_KEYS:
        vars(settings).pop(key, None)
    if model.head is None and not not_said and config.num_labels == 1:
        settings.sentence_transformers = {"activation_fn": ACTIVATION_PATHS[config.activation]}
    with written_whole(folder, overwrite=overwrite) as place, quiet():
        if model.adapter is not None:
            model.adapter.save(place)
        else:
            cast("Any", model.backbone).save_pretrained(place)
        model.tokenizer.save(place)
        lir.write(place, "cross-encoder", config)
        heads: dict[str, Tensor] = {}
        if model.head is not None:
            heads = {name: weight.detach().cpu().contiguous() for name, weight in model.head.state_dict().items()}
        if heads:
            lir.write_heads(place, heads, "doc")
        if not not_said:
            cross_encoder.write(
                place,
                config,
                tokenizer=model.tokenizer,
                heads=heads,
                hidden_size=settings.hidden_size,
                on_adapter=model.adapter is not None,
            )
        write_model_card(place, folder.name, config, card, not_said=not_said)
    _say(model, folder, not_said)


def _say(model: "nn.Module", folder: Path, not_said: str) -> None:
    # A training saves its model again and again, and says it once.
    if not_said and _said.get(model) != not_said:
        _said[model] = not_said
        logger.warning(
            "'%s' is lir's alone: sentence-transformers has no word for %s, and would score otherwise.",
            folder,
            not_said,
        )


def _bi_encoder_not_said(model: "BiEncoderModel") -> str:
    """Name what others have no word for; empty if the folder is to be theirs too."""
    if model.has_adapter and (model.query_encoder is not None or not _others_load_adapter(model.encoder)):
        return "an adapter on a base model like this one's"
    config = _with_limits(model)
    if isinstance(config, SpladeConfig):
        query = model.query_encoder
        terms = None if query is None else len(query.tokenizer.tokenizer)
        if not config.uses_backbone("query") and terms != model.dim:
            return f"queries of {terms} terms beside documents of {model.dim}"
        return sparse.not_said(config)
    if isinstance(config, StaticConfig):
        return static.not_said(config)
    return pylate.not_said(config) if isinstance(config, ColConfig) else dense.not_said(config)


def _cross_encoder_not_said(model: "CrossEncoderModel") -> str:
    """Name what others have no word for; empty if the folder is to be theirs too."""
    if isinstance(model.head, T5Ranker):
        return "the answer of a T5"
    if model.adapter is not None and not _others_load_adapter(model):
        return "an adapter on a base model like this one's"
    return cross_encoder.not_said(model.config)


def _with_limits(model: "BiEncoderModel") -> BiEncoderConfig:
    """Return the rule with the lengths that texts are cut at: others do not all ask what the backbone takes."""
    tokenizers = {side: model.encoder_of(side).tokenizer for side in ("query", "doc")}
    return model.config.replace(
        query_length=tokenizers["query"].limit(model.config.query_length),
        doc_length=tokenizers["doc"].limit(model.config.doc_length),
    )


def _write_for_others(model: "BiEncoderModel", place: Path, heads: Mapping[Side, HeadWeights]) -> None:
    """Write what sentence-transformers or PyLate ask for."""
    config = _with_limits(model)
    if isinstance(config, SpladeConfig):
        sparse.write(place, config, heads, model.dim)
    elif isinstance(config, ColConfig):
        pylate.write(place, config, heads, model.tokenizer)
    elif isinstance(config, StaticConfig):
        static.write(place, config, heads)
    else:
        query: Any = model.encoder_of("query")
        dense.write(place, config, heads, {"query": query.hidden_size, "doc": model.encoder.hidden_size})


def _others_load_adapter(part: "Part") -> bool:
    """Whether an adapter is found by other libraries, which load its base model by themselves."""
    source, adapter = part.source, part.adapter
    return source is not None and source.is_plain and adapter is not None and adapter.is_on_base


def _encoder_folder(model: "BiEncoderModel", route: str) -> str:
    return f"{route}_0_{'MLMTransformer' if isinstance(model.encoder.head, VocabularyHead) else 'Transformer'}"


def _save_encoder(encoder: "Encoder", folder: Path) -> None:
    model: Any = encoder.backbone
    if encoder.adapter is not None:
        encoder.adapter.save(folder)
    else:
        with _whole(encoder):
            model.save_pretrained(folder)
    encoder.tokenizer.save(folder)


@contextmanager
def _whole(encoder: "Encoder") -> Generator[None]:
    """Put the output layer of a masked language model back where transformers has it."""
    if not isinstance(encoder.head, VocabularyHead):
        yield
        return
    model: Any = encoder.backbone
    detached = model.get_output_embeddings()
    model.set_output_embeddings(encoder.head.decoder)
    try:
        yield
    finally:
        model.set_output_embeddings(detached)


def _head_weights(model: "BiEncoderModel", side: Side) -> HeadWeights:
    """Return the weights of a side's head, without those that are saved as the backbone's."""
    weights = model.encoder_of(side).head.state_dict()
    return {
        name: weight.detach().cpu().contiguous() for name, weight in weights.items() if not name.startswith("decoder.")
    }
