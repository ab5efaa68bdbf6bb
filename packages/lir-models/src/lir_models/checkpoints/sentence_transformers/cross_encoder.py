"""Cross-encoders of sentence-transformers from 5.4 on; before, they were sequence classifiers without modules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from lir_models.checkpoints import sequence_classification
from lir_models.checkpoints.activations import ACTIVATION_PATHS, activation_of
from lir_models.checkpoints.checkpoint import Checkpoint
from lir_models.checkpoints.files import read_json, read_tokenizer, read_weights, write_json
from lir_models.checkpoints.sentence_transformers.dense import read_pooling
from lir_models.checkpoints.sentence_transformers.modules import (
    Chain,
    read_dense_layer,
    transformer_settings,
    write_chain,
    write_settings,
)
from lir_models.config import CrossEncoderConfig
from lir_models.errors import CheckpointError
from lir_models.families.mono import MonoConfig, RankerPooling
from lir_models.tokenization import Tokenizer


def read(folder: Path, chain: Chain, settings: Mapping[str, Any]) -> Checkpoint:
    """Read the config."""
    names = [module.name for module in chain]
    if names == ["Transformer", "LogitScore"]:
        return _read_logit_score(folder, chain, settings)
    if names == ["Transformer", "Pooling", "Dense"]:
        return _read_pooled(folder, chain, settings)
    if names != ["Transformer"] or not sequence_classification.detect(folder):
        raise CheckpointError(
            f"'{folder}' is a sentence-transformers cross-encoder of the modules {', '.join(names)}; "
            "lir reads a sequence classifier, or a causal language model and LogitScore."
        )
    checkpoint = sequence_classification.read(folder)
    if settings.get("activation_fn") and isinstance(checkpoint.config, CrossEncoderConfig):
        config = checkpoint.config.replace(activation=activation_of(settings["activation_fn"]))
        return Checkpoint(kind="cross-encoder", config=config, folder=folder)
    return checkpoint


def _read_pooled(folder: Path, chain: Chain, settings: Mapping[str, Any]) -> Checkpoint:
    """Read a transformer whose tokens are pooled and scored by one layer."""
    pooling, layer = read_pooling(chain[1].folder), read_dense_layer(chain[2].folder)
    if pooling not in get_args(get_args(RankerPooling)[0]) or layer.activation != "identity" or layer.residual:
        raise CheckpointError(
            f"'{folder}' scores by the pooling {pooling!r} and the layer {layer}; lir reads one mode, and one linear layer."
        )
    if layer.out_features not in (1, 2):
        raise CheckpointError(f"'{folder}' has {layer.out_features} labels; a cross-encoder has 1 or 2.")
    default = "sigmoid" if layer.out_features == 1 else "identity"
    config = MonoConfig(
        scoring_strategy="rank" if layer.out_features == 1 else "mono",
        pooling_strategy=pooling,  # pyright: ignore[reportArgumentType]
        linear_bias=layer.bias,
        max_length=transformer_settings(chain[0].folder).get("max_seq_length"),
        activation=activation_of(settings.get("activation_fn") or ACTIVATION_PATHS[default]),
    )
    return Checkpoint(
        kind="cross-encoder", config=config, folder=chain[0].folder, heads=lambda _: read_weights(chain[2].folder)
    )


def _read_logit_score(folder: Path, chain: Chain, settings: Mapping[str, Any]) -> Checkpoint:
    """Read a causal language model whose answers are scored."""
    transformer = transformer_settings(chain[0].folder)
    values = read_json(chain[1].folder / "config.json")
    tokenizer = read_tokenizer(chain[0].folder)
    if tokenizer is None:
        raise CheckpointError(f"'{folder}' names its answers by ids, and has no tokenizer.json to look them up in.")
    ids = [values.get("false_token_id"), values["true_token_id"]]
    prompt = (settings.get("prompts") or {}).get(settings.get("default_prompt_name") or "", "")
    is_chat = "message" in transformer.get("modality_config", {})
    config = MonoConfig(
        scoring_strategy="rank",
        answers=tuple(tokenizer.id_to_token(token) for token in ids if token is not None),
        chat_template=is_chat,
        instruction=prompt if is_chat else "",
        query_prompt="" if is_chat else prompt,
        max_length=transformer.get("max_seq_length"),
        # Of a score, as of one label, sentence-transformers takes the sigmoid unless told otherwise.
        activation=activation_of(settings.get("activation_fn") or ACTIVATION_PATHS["sigmoid"]),
    )
    return Checkpoint(kind="cross-encoder", config=config, folder=chain[0].folder)


def write(folder: Path, config: MonoConfig, tokenizer: Tokenizer) -> None:
    """Write the modules after a causal language model, for sentence-transformers from 5.4 on."""
    answers = [tokenizer.token_id(token) for token in config.answer_tokens]
    folders = write_chain(
        folder,
        [
            "sentence_transformers.base.modules.transformer.Transformer",
            "sentence_transformers.cross_encoder.modules.logit_score.LogitScore",
        ],
    )
    method = {"method": "forward", "method_output_name": "logits"}
    modality = {"text": method} | ({"message": {**method, "format": "flat"}} if config.chat_template else {})
    transformer = {
        "transformer_task": "text-generation",
        "modality_config": modality,
        "module_output_name": "causal_logits",
    }
    write_json(folders[0] / "sentence_bert_config.json", transformer)
    score = {"true_token_id": answers[-1], "false_token_id": answers[0] if len(answers) == 2 else None}
    write_json(folders[1] / "config.json", score)
    prompt = config.instruction or config.query_prompt
    write_settings(
        folder,
        model_type="CrossEncoder",
        prompts={"default": prompt} if prompt else {},
        default_prompt_name="default" if prompt else None,
        activation_fn=ACTIVATION_PATHS[config.activation],
    )
