"""Cross-encoders of sentence-transformers from 5.4 on; before, they were sequence classifiers without modules.

Three kinds have a word there: a sequence classifier; a transformer, Pooling and Dense; a causal language model and
LogitScore. The log-probability of two labels (``mono``) is one more Dense, whose weights are fixed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import torch

from lir_models.checkpoints import adapter, sequence_classification
from lir_models.checkpoints.activations import ACTIVATION_PATHS, activation_of
from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import Settings, read_tokenizer, read_weights, write_json
from lir_models.checkpoints.sentence_transformers.dense import read_pooling, write_pooling
from lir_models.checkpoints.sentence_transformers.modules import (
    Chain,
    Module,
    default_prompt,
    read_layer,
    write_chain,
    write_dense,
    write_settings,
)
from lir_models.checkpoints.sentence_transformers.transformer import (
    TransformerSettings,
    read_transformer,
    write_transformer,
)
from lir_models.config import CrossEncoderConfig
from lir_models.errors import CheckpointError
from lir_models.families.mono import MonoConfig, RankerPooling
from lir_models.fields import DenseLayer, NormLayer
from lir_models.tokenization import Tokenizer

_TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"
_POOLING = "sentence_transformers.sentence_transformer.modules.pooling.Pooling"
_DENSE = "sentence_transformers.base.modules.dense.Dense"
_LOGIT_SCORE = "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"

# From the logits of two labels, or from their difference, to the log-probability of the second.
_LOG_PROBABILITY = {2: [[-1.0, 1.0]], 1: [[1.0]]}


def read(folder: Path, chain: Chain, settings: Settings) -> Checkpoint:
    """Read the config."""
    names = [module.name for module in chain]
    is_mono = names[-1:] == ["Dense"] and _is_log_probability(chain[-1])
    if is_mono:
        chain, names = chain[:-1], names[:-1]
    if names == ["Transformer", "LogitScore"]:
        return _read_logit_score(folder, chain, settings, is_mono=is_mono)
    if names[:2] == ["Transformer", "Pooling"] and names[2:] in (["Dense"], ["Dense", "Dense"]):
        return _read_pooled(folder, chain, settings, is_mono=is_mono)
    if names == ["Transformer"] and (
        sequence_classification.detect(chain[0].folder) or adapter.detect(chain[0].folder)
    ):
        return _read_classifier(chain[0], settings)
    raise CheckpointError(
        f"'{folder}' is a sentence-transformers cross-encoder of the modules {', '.join(names)}; "
        "lir reads a sequence classifier, a transformer with Pooling and Dense, or a causal language model and LogitScore."
    )


def _is_log_probability(module: Module) -> bool:
    """Whether a module is what `_write_log_probability` writes."""
    settings = module.settings
    if [settings.text(f"module_{way}_name") for way in ("input", "output")] != ["scores", "scores"]:
        return False
    weights = read_weights(module.folder)
    expected = _LOG_PROBABILITY.get(settings.number("in_features", 0))
    layer = read_layer(module, None, "scores")
    is_fixed = weights.keys() == {"linear.weight"} and weights["linear.weight"].tolist() == expected
    return is_fixed and isinstance(layer, DenseLayer) and layer.activation == "log_sigmoid"


def _common(settings: Settings, transformer: TransformerSettings, labels: int = 1) -> dict[str, Any]:
    """Return what the config of each kind says; of one score, sentence-transformers takes the sigmoid unless told."""
    default = "sigmoid" if labels == 1 else "identity"
    return {
        "max_length": transformer.length,
        "query_prompt": default_prompt(settings),
        "activation": activation_of(settings.text("activation_fn", ACTIVATION_PATHS[default])),
    }


def _read_classifier(module: Module, settings: Settings) -> Checkpoint:
    """Read a sequence classifier; of an adapter's, the base model says how many labels there are."""
    transformer = read_transformer(module, output="scores")
    if adapter.detect(module.folder):
        config = MonoConfig(**_common(settings, transformer))
        return Checkpoint(
            kind="cross-encoder", config=config, folder=module.folder, of_base=("scoring_strategy", "labels")
        )
    checkpoint = sequence_classification.read(module.folder)
    config: Any = checkpoint.config
    found = _common(settings, transformer, config.num_labels)
    if not settings.text("activation_fn"):
        found.pop("activation")  # config.json may have it
    return Checkpoint(kind="cross-encoder", config=config.replace(**found), folder=module.folder)


def _read_pooled(folder: Path, chain: Chain, settings: Settings, *, is_mono: bool) -> Checkpoint:
    """Read a transformer whose tokens are pooled and scored by one layer; before it there may be BERT's own."""
    pooling = read_pooling(chain[1])
    layers = [read_layer(module, None, "sentence_embedding") for module in chain[2:-1]]
    layer = read_layer(chain[-1], None, "sentence_embedding", into="scores")
    is_bert = len(layers) == 1 and pooling == "first" and _is_bert_pool(layers[0])
    if isinstance(layer, NormLayer) or layer.activation != "identity" or layer.residual or (layers and not is_bert):
        raise CheckpointError(
            f"'{folder}' scores by the pooling {pooling!r} and the layers {(*layers, layer)}; lir reads one mode, and one "
            "linear layer, or first the layer that BERT has for its first token."
        )
    labels = layer.out_features
    if pooling not in get_args(get_args(RankerPooling)[0]) or (is_mono and labels != 2):
        raise CheckpointError(f"'{folder}' scores by the pooling {pooling!r} and {labels} labels; lir reads one mode.")
    config = MonoConfig(
        scoring_strategy="rank" if labels == 1 else "mono" if labels == 2 else "label",
        labels=tuple(f"LABEL_{place}" for place in range(labels)) if labels > 2 else None,
        pooling_strategy="bert_pool" if is_bert else pooling,  # pyright: ignore[reportArgumentType]
        linear_bias=layer.bias,
        **_common(settings, read_transformer(chain[0]), 1 if is_mono else labels),
    )
    return Checkpoint(
        kind="cross-encoder", config=config, folder=chain[0].folder, heads=lambda _: _pooled_weights(chain[2:])
    )


def _is_bert_pool(layer: DenseLayer | NormLayer) -> bool:
    return isinstance(layer, DenseLayer) and layer.activation == "tanh" and layer.bias and not layer.residual


def _pooled_weights(chain: Chain) -> HeadWeights:
    weights = read_weights(chain[-1].folder)
    if len(chain) == 1:
        return weights
    first = read_weights(chain[0].folder)
    return weights | {name.replace("linear.", "bert_pool.0.", 1): weight for name, weight in first.items()}


def _read_logit_score(folder: Path, chain: Chain, settings: Settings, *, is_mono: bool) -> Checkpoint:
    """Read a causal language model whose answers are scored."""
    transformer = read_transformer(chain[0], output="causal_logits", chat=True)
    values, tokenizer = chain[1].settings, read_tokenizer(chain[0].folder)
    if tokenizer is None:
        raise CheckpointError(f"'{folder}' names its answers by ids, and has no tokenizer.json to look them up in.")
    ids = [values.number("false_token_id", least=0), values.number("true_token_id", -1, least=0)]
    answers = [tokenizer.id_to_token(token) for token in ids if token is not None]
    if None in answers or (is_mono and len(answers) < 2):
        raise CheckpointError(f"'{values.path}' names the answers {ids}, which the vocabulary lacks.")
    common = _common(settings, transformer)
    if transformer.is_chat:
        common |= {"query_prompt": "", "instruction": common["query_prompt"]}
    config = MonoConfig(
        scoring_strategy="mono" if is_mono else "rank",
        answers=tuple(answers),
        chat_template=transformer.is_chat,
        **common,
    )
    return Checkpoint(kind="cross-encoder", config=config, folder=chain[0].folder)


def not_said(config: CrossEncoderConfig) -> str:
    """Name what sentence-transformers has no word for; empty if it can say all of the config."""
    if type(config) is not MonoConfig:
        return f"a {type(config).__name__}"
    for field in ("query_length", "doc_length", "doc_prompt"):
        if getattr(config, field):
            return f"{field} {getattr(config, field)!r}"
    if config.chat_template:
        return "a chat whose document is cut, not its end"
    if config.label is not None:
        return f"the log-probability of the label {config.label!r} of {len(config.labels or ())}"
    return "the sum of a pair's tokens" if config.pooling_strategy == "sum" else ""


def write(
    folder: Path,
    config: MonoConfig,
    *,
    tokenizer: Tokenizer,
    heads: Mapping[str, torch.Tensor],
    hidden_size: int,
    on_adapter: bool,
) -> None:
    """Write the modules after the transformer, which lies in the folder already.

    Args:
        folder: The model's.
        config: The rule.
        tokenizer: For its longest text, and the ids of answers.
        heads: The weights of a pooled ranker's layers.
        hidden_size: Width of the transformer.
        on_adapter: Whether an adapter lies in the folder, so that nothing there says how many labels there are.
    """
    is_mono = config.scoring_strategy == "mono"
    extra: dict[str, Any] = {}
    if config.answers is not None:
        classes, values = [_LOGIT_SCORE], _transformer("text-generation", "logits", "causal_logits")
    elif config.pooling_strategy is not None:
        denses = 2 if config.pooling_strategy == "bert_pool" else 1
        classes, values = (
            [_POOLING, *[_DENSE] * denses],
            _transformer("feature-extraction", "last_hidden_state", "token_embeddings"),
        )
    else:
        classes, values = [], _transformer("sequence-classification", "logits", "scores")
        extra = {"config_args": {"num_labels": config.num_labels}} if on_adapter else {}
    folders = write_chain(folder, [_TRANSFORMER, *classes, *[_DENSE] * is_mono])
    limit = tokenizer.limit(config.max_length)
    write_transformer(folders[0], {"query": limit, "doc": limit}, lowercase=False, **values, **extra)
    if config.answers is not None:
        answers = [tokenizer.token_id(token) for token in config.answers]
        score = {"true_token_id": answers[-1], "false_token_id": answers[0] if len(answers) == 2 else None}
        write_json(folders[1] / "config.json", score)
    elif config.pooling_strategy is not None:
        _write_pooled(folders[1:], config, heads, hidden_size)
    if is_mono:
        _write_log_probability(folders[-1], 1 if config.answers is not None else 2)
    write_settings(
        folder,
        model_type="CrossEncoder",
        prompts={"default": config.query_prompt} if config.query_prompt else {},
        default_prompt_name="default" if config.query_prompt else None,
        activation_fn=ACTIVATION_PATHS[config.activation],
    )


def _transformer(task: str, output: str, name: str) -> dict[str, Any]:
    return {
        "transformer_task": task,
        "modality_config": {"text": {"method": "forward", "method_output_name": output}},
        "module_output_name": name,
    }


def _write_pooled(folders: list[Path], config: MonoConfig, heads: Mapping[str, torch.Tensor], hidden_size: int) -> None:
    is_bert = config.pooling_strategy == "bert_pool"
    write_pooling(
        folders[0], "first" if config.pooling_strategy == "bert_pool" else config.pooling_strategy, hidden_size
    )
    weights = {name: weight for name, weight in heads.items() if name.startswith("linear.")}
    if is_bert:
        layer = DenseLayer(in_features=hidden_size, out_features=hidden_size, activation="tanh")
        first = {
            name.replace("bert_pool.0.", "linear.", 1): weight
            for name, weight in heads.items()
            if name.startswith("bert_pool.")
        }
        write_dense(folders[1], layer, first)
    layer = DenseLayer(in_features=hidden_size, out_features=config.num_labels, bias=config.linear_bias)
    names = {"module_input_name": "sentence_embedding", "module_output_name": "scores"}
    write_dense(folders[2 if is_bert else 1], layer, weights, **names)


def _write_log_probability(folder: Path, width: int) -> None:
    layer = DenseLayer(in_features=width, out_features=1, bias=False, activation="log_sigmoid")
    names = {"module_input_name": "scores", "module_output_name": "scores"}
    write_dense(folder, layer, {"linear.weight": torch.tensor(_LOG_PROBABILITY[width])}, **names)
