"""Adapters: a few weights that are trained in place of a backbone's own, by the package peft.

Hu et al. (2022), *LoRA: Low-Rank Adaptation of Large Language Models*. https://arxiv.org/abs/2106.09685
"""

import copy
import dataclasses
import warnings
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from torch import nn

from lir_models.checkpoints.checkpoint import Source
from lir_models.checkpoints.files import readable
from lir_models.checkpoints.ownership import remove_file
from lir_models.errors import CheckpointError, ConfigError, MissingExtraError, did_you_mean

# lir takes a pooler off that it does not read; other libraries that load the adapter have it.
_UNUSED = r"(.*\.)?pooler(\..*)?"


def adapter_config(config: Any) -> Any:
    """Return a configuration of peft's.

    Args:
        config: One of peft's, ``LoraConfig`` for instance, or a mapping of its fields; of another kind than LoRA, a
            mapping names it as ``peft_type``.

    Raises:
        MissingExtraError: If peft is not installed.
        ConfigError: If it is none, names an unknown field, or is of a kind that lir cannot use.
    """
    peft = _peft()
    kinds: dict[str, Any] = {kind.value: made for kind, made in peft.PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    if isinstance(config, Mapping):
        values = dict(config)
        kind = str(values.pop("peft_type", "LORA")).upper()
        if kind not in kinds:
            raise ConfigError(f"peft has no adapters of the kind '{kind}'.{did_you_mean(kind, kinds)}")
        fields = [field.name for field in dataclasses.fields(kinds[kind])]
        for key in values:
            if key not in fields:
                raise ConfigError(f"{kinds[kind].__name__} has no field '{key}'.{did_you_mean(key, fields)}")
        try:
            config = kinds[kind](**values)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{kinds[kind].__name__} refuses its fields: {error}") from error
    elif not isinstance(config, peft.PeftConfig):
        raise ConfigError(f"{config!r} is no adapter; give a LoraConfig of peft, or a mapping of its fields.")
    if config.is_prompt_learning or config.peft_type not in peft.PEFT_TYPE_TO_TUNER_MAPPING:
        raise ConfigError(
            f"Adapters of the kind '{config.peft_type.value}' add tokens to texts; lir uses those that change layers, "
            "LORA and IA3 for instance."
        )
    return copy.deepcopy(config)  # peft writes into it what it finds in the model


class Adapter:
    """What peft has added to a backbone; the backbone itself stays the same object.

    Args:
        model: Of peft's class ``PeftModel``, around the backbone.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def add(
        cls,
        backbone: nn.Module,
        config: Any,
        *,
        source: Source,
        task: str | None = None,
        heads: Collection[str] = (),
        new_tokens: Collection[int] = (),
    ) -> "Adapter":
        """Add a new adapter to a backbone, whose own weights are frozen.

        Args:
            backbone: Any transformer.
            config: As in `adapter_config`.
            source: What the backbone is called.
            task: What peft calls its use.
            heads: Modules inside the backbone that are trained and saved whole.
            new_tokens: Token ids whose embeddings are trained and saved.

        Raises:
            ConfigError: If the backbone has no such layers.
        """
        config = adapter_config(config)
        config.base_model_name_or_path, config.revision = source.name, source.revision
        config.task_type = config.task_type or task
        if heads:
            config.modules_to_save = sorted({*(config.modules_to_save or ()), *heads})
        if task == "FEATURE_EXTRACTION" and config.target_modules == "all-linear" and config.exclude_modules is None:
            config.exclude_modules = _UNUSED
        if new_tokens:
            if not hasattr(config, "trainable_token_indices"):
                raise ConfigError(
                    f"The model has {len(new_tokens)} new tokens, whose embeddings {type(config).__name__} cannot train; "
                    "LoraConfig can."
                )
            config.trainable_token_indices = config.trainable_token_indices or sorted(new_tokens)
        return cls(_injected(backbone, config))

    @classmethod
    def load(cls, backbone: nn.Module, folder: Path, heads: Collection[str] = ()) -> "Adapter":
        """Put the adapter that a folder holds on its base model, to be used or trained on.

        Args:
            backbone: The base model.
            folder: With ``adapter_config.json`` and the adapter's weights.
            heads: Modules inside the backbone that may come with it.

        Raises:
            CheckpointError: If a file is damaged, or the adapter is of another model.
        """
        peft = _peft()
        with readable(folder, "is an adapter that cannot be loaded"):
            config = peft.PeftConfig.from_pretrained(str(folder))
            config.inference_mode = False  # it may be trained on
            weights = _named_as_in(backbone, peft.load_peft_weights(str(folder), device="cpu"))
            if config.modules_to_save is None:  # versions of 2023 did not say which heads they saved
                config.modules_to_save = _saved_whole(backbone, weights, heads) or None
            _grow_vocabulary(backbone, folder, getattr(config, "trainable_token_indices", None) or ())
            try:
                model = _injected(backbone, config)
            except ConfigError as error:
                raise CheckpointError(f"The adapter in '{folder}' does not fit its base model: {error}") from error
            missing = peft.set_peft_model_state_dict(model, weights).missing_keys
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        lacking = sorted(trained & set(missing))
        if lacking:
            raise CheckpointError(
                f"The adapter in '{folder}' does not fit '{config.base_model_name_or_path}': it lacks {lacking[0]}"
                + (f" and {len(lacking) - 1} more weights." if len(lacking) > 1 else ".")
            )
        return cls(model)

    @property
    def settings(self) -> dict[str, Any]:
        """What, beside its weights, decides what the adapter adds."""
        return self._model.peft_config["default"].to_dict()

    @property
    def is_on_base(self) -> bool:
        """Whether the base model can take the adapter as it is, without room for new tokens."""
        return not getattr(self._model.peft_config["default"], "trainable_token_indices", None)

    def save(self, folder: Path) -> None:
        """Write ``adapter_config.json`` and ``adapter_model.safetensors``, as peft does."""
        # Whole embeddings would be a copy of the base model's: new tokens' rows are in the adapter.
        self._model.save_pretrained(str(folder), save_embedding_layers=False)
        remove_file(folder / "README.md")

    def merge(self) -> None:
        """Add the adapter's weights to the backbone's own."""
        self._model.merge_and_unload(safe_merge=True)


class Part(Protocol):
    """What has a backbone of its own: an encoder of a bi-encoder, or a cross-encoder."""

    backbone: nn.Module
    source: Source | None
    adapter: Adapter | None

    def new_adapter(self, config: Any, source: Source) -> Adapter:
        """Make an adapter that suits the part."""
        ...

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Freeze or unfreeze all of it."""
        ...


class Adaptable:
    """What both kinds of model do with adapters."""

    def _parts(self) -> list[Part]:
        raise NotImplementedError

    @property
    def has_adapter(self) -> bool:
        """Whether an adapter is on the backbone."""
        return any(part.adapter is not None for part in self._parts())

    def add_adapter(self, config: Any) -> None:
        """Put a new adapter on the backbone, of two on each; from then on it and the heads are trained, and saved.

        Args:
            config: One of peft's, ``LoraConfig(r=8, target_modules="all-linear")`` for instance, or a mapping of its
                fields.

        Raises:
            MissingExtraError: If peft is not installed.
            ConfigError: If the configuration does not suit the model, or the model has an adapter or was changed.
        """
        if self.has_adapter:
            raise ConfigError(
                "The model has an adapter already, and two are not supported; merge_adapter() folds the first into the "
                "backbone."
            )
        config = adapter_config(config)
        sources = [_source(part) for part in self._parts()]
        for part, source in zip(self._parts(), sources, strict=True):
            part.adapter = part.new_adapter(config, source)

    def merge_adapter(self) -> None:
        """Fold the adapter into the backbone, all of which is trained again; what is then saved is an ordinary model.

        Raises:
            ConfigError: If there is none.
        """
        if not self.has_adapter:
            raise ConfigError("The model has no adapter to merge; add_adapter makes one.")
        for part in self._parts():
            if part.adapter is not None:
                part.adapter.merge()
            part.adapter = part.source = None
            part.backbone.name_or_path = ""  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
            part.requires_grad_(True)


def head_names(backbone: Any) -> list[str]:
    """Name what stands in a classifier beside the transformer, and the pooler, which belongs to its head."""
    base = backbone.base_model
    if base is backbone:
        return []
    names = [name for name, child in backbone.named_children() if child is not base and list(child.parameters())]
    output = backbone.get_output_embeddings()
    names = [name for name in names if getattr(backbone, name) is not output]
    return names + (["pooler"] if getattr(base, "pooler", None) is not None else [])


def _source(part: Part) -> Source:
    name: str = part.source.name if part.source else getattr(part.backbone, "name_or_path", "")
    if not name:
        raise ConfigError(
            "An adapter is saved with the name of its base model, and this one has none: it was changed by merge_adapter "
            "or was not loaded by from_pretrained. Save it, load it from there, and add the adapter then."
        )
    return part.source or Source(name)


def _injected(backbone: Any, config: Any) -> Any:
    was_training = backbone.training
    try:
        with _quietly():
            model = _peft().PeftModel(backbone, config)
    except ValueError as error:
        targets = config.target_modules
        layers = {name.rpartition(".")[2] for name, layer in backbone.named_modules() if isinstance(layer, nn.Linear)}
        if targets is None:
            raise ConfigError(
                f"peft knows no usual target_modules of the kind '{backbone.config.model_type}'; set target_modules to "
                f"'all-linear', or to some of {', '.join(sorted(layers))}."
            ) from error
        wanted = [targets] if isinstance(targets, str) else sorted(targets)
        unknown = next((name for name in wanted if name.rpartition(".")[2] not in layers), wanted[0])
        raise ConfigError(
            f"target_modules names '{unknown}', and the backbone's layers are {', '.join(sorted(layers))}."
            f"{did_you_mean(unknown, layers)}"
        ) from error
    backbone.train(was_training)  # peft's layers are new, hence in training mode
    return model


def _named_as_in(backbone: Any, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Rename an adapter's weights that was trained under a language-model head which the backbone does not have."""
    prefix = f"base_model.model.{getattr(backbone, 'base_model_prefix', '')}."
    if getattr(backbone, "base_model", None) is not backbone or not all(name.startswith(prefix) for name in weights):
        return dict(weights)
    return {f"base_model.model.{name.removeprefix(prefix)}": weight for name, weight in weights.items()}


def _saved_whole(backbone: nn.Module, weights: Collection[str], heads: Collection[str]) -> list[str]:
    """Return the heads that an adapter's file holds as a whole, and not as what is added to them."""
    own = {f".{name.removeprefix('base_model.model.')}" for name in weights}
    own &= {f".{name}" for name in backbone.state_dict()}
    return [head for head in heads if any(f".{head}." in name for name in own)]


def _grow_vocabulary(backbone: Any, folder: Path, tokens: Collection[int]) -> None:
    """Make room for tokens that the base model lacks; the adapter brings their embeddings."""
    needed, rows = max(tokens, default=-1) + 1, backbone.get_input_embeddings().num_embeddings
    if needed > rows + len(tokens):
        raise CheckpointError(
            f"The adapter in '{folder}' trains the token {needed - 1}, and its base model has {rows} tokens."
        )
    if needed > rows:
        backbone.resize_token_embeddings(needed, mean_resizing=False)


@contextmanager
def _quietly() -> Generator[None]:
    with warnings.catch_warnings():
        # peft 0.21 asks transformers in a way that it gives up.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        # The pooler is excluded for others.
        warnings.filterwarnings("ignore", message=r"You have passed exclude_modules=.* but no modules were excluded")
        yield


def _peft() -> ModuleType:
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError(
            "Adapters need the package peft, which is not installed.", hint="pip install 'lir-models[peft]'"
        ) from error
    return peft
