"""Saving a bi-encoder: the backbone as transformers has it, ``lir.json``, and what other libraries ask for."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lir_models.backbone import quiet
from lir_models.checkpoints import lir
from lir_models.checkpoints.checkpoint import HeadWeights
from lir_models.checkpoints.files import written_whole
from lir_models.checkpoints.sentence_transformers import dense, pylate, sparse
from lir_models.families.col import ColConfig
from lir_models.families.splade import SpladeConfig
from lir_models.fields import Side
from lir_models.heads.vocabulary import VocabularyHead
from lir_models.model_card import ModelCard, write_model_card

if TYPE_CHECKING:
    from lir_models.bi_encoder import BiEncoderModel
    from lir_models.encoder import Encoder


def save_bi_encoder(model: "BiEncoderModel", folder: Path, *, overwrite: bool, card: ModelCard) -> None:
    """Save a bi-encoder, whole or not at all."""
    from lir_models.encoder import Encoder

    config = model.config
    heads: dict[Side, HeadWeights] = {side: _head_weights(model, side) for side in ("query", "doc")}
    is_routed = _is_routed(model) and not model.has_adapter
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
        if _others_load_adapter(model):
            _write_for_others(model, place, heads)
        write_model_card(place, folder.name, config, card)


def _write_for_others(model: "BiEncoderModel", place: Path, heads: dict[Side, HeadWeights]) -> None:
    """Write what sentence-transformers or PyLate ask for, where they have a word for what the model does."""
    # They do not all cut a text at what the backbone takes, so they are told.
    tokenizers = {side: model.encoder_of(side).tokenizer for side in ("query", "doc")}
    config = model.config.replace(
        query_length=tokenizers["query"].limit(model.config.query_length),
        doc_length=tokenizers["doc"].limit(model.config.doc_length),
    )
    if isinstance(config, SpladeConfig) and sparse.can_write(config):
        sparse.write(place, config, heads, model.dim)
    elif isinstance(config, ColConfig) and pylate.can_write(config):
        pylate.write(place, config, heads)
    elif dense.can_write(config):
        dense.write(place, config, heads, model.encoder.hidden_size)


def _others_load_adapter(model: "BiEncoderModel") -> bool:
    """Whether an adapter, if there is one, is found by other libraries, which load its base model by themselves."""
    source, adapter = model.encoder.source, model.encoder.adapter
    if adapter is None:
        return True
    return model.query_encoder is None and source is not None and source.is_plain and adapter.is_on_base


def _is_routed(model: "BiEncoderModel") -> bool:
    """Whether sentence-transformers would have a router."""
    config = model.config
    can_write = sparse.can_write(config) if isinstance(config, SpladeConfig) else dense.can_write(config)
    return model.query_encoder is not None and can_write


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
