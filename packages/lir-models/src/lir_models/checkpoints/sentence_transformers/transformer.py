"""The Transformer module's own settings: how many tokens are kept, and what else is done to texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lir_models.checkpoints.files import Settings, read_settings_if_there, write_json
from lir_models.checkpoints.sentence_transformers.modules import Module
from lir_models.errors import CheckpointError
from lir_models.fields import Side

FILE = "sentence_bert_config.json"

_OLD_FILES = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
# What is handed to transformers, under the names of either generation; the words in it that change no score.
_HANDED_ON: dict[str, tuple[str, ...]] = {
    "model": ("add_pooling_layer", "attn_implementation", "device_map", "dtype", "torch_dtype", "use_safetensors"),
    "tokenizer": ("model_max_length", "use_fast"),
    "config": ("num_labels", "use_cache"),
}
_NEW_NAMES = {"tokenizer": "processor"}
_ALWAYS_HARMLESS = ("cache_dir", "local_files_only", "revision", "token", "trust_remote_code")


@dataclass(frozen=True, kw_only=True)
class TransformerSettings:
    """What a Transformer module says of texts.

    Args:
        length: Most tokens of a text; None for as many as the tokenizer and the backbone take.
        lengths: The same for either side, where a text is of one.
        lowercase: Whether texts are lower-cased.
        is_chat: Whether texts become messages of a chat.
        expansion: How queries are filled up; empty if they are not.
    """

    length: int | None
    lengths: Mapping[Side, int | None]
    lowercase: bool
    is_chat: bool
    expansion: Settings


def read_transformer(
    module: Module, *, output: str = "token_embeddings", chat: bool = False, expands: bool = False
) -> TransformerSettings:
    """Read the settings of a Transformer module, under whichever name its version gave the file.

    Args:
        module: The module.
        output: What it must hand on.
        chat: Whether it may make messages of texts.
        expands: Whether it may fill queries up.

    Raises:
        CheckpointError: If it does with texts what lir does not.
    """
    names = [FILE, *(f"sentence_{name}_config.json" for name in _OLD_FILES)]
    path = next((module.folder / name for name in names if (module.folder / name).is_file()), module.folder / FILE)
    settings = read_settings_if_there(path)
    handed_on = _handed_on(settings)
    if settings.get("processing_kwargs"):
        raise CheckpointError(
            f"'{path}' has processing_kwargs {settings['processing_kwargs']!r}, which the tokenizer is called with; "
            "lir calls it as sentence-transformers does without them."
        )
    if settings.text("tokenizer_name_or_path"):
        raise CheckpointError(f"'{path}' has a tokenizer elsewhere, in '{settings['tokenizer_name_or_path']}'.")
    if settings.text("module_output_name", output) != output:
        raise CheckpointError(
            f"'{path}' hands on {settings['module_output_name']!r}; in this place lir reads '{output}'."
        )
    is_chat = _is_chat(settings)
    if is_chat and not chat:
        raise CheckpointError(f"'{path}' makes a chat's messages of texts; lir does so for causal rankers alone.")
    expansion = settings.inner("query_expansion")
    if expansion and not expands:
        raise CheckpointError(f"'{path}' has query_expansion, which lir reads of multi-vector encoders alone.")
    length = handed_on.number("model_max_length") or settings.number("max_seq_length")
    return TransformerSettings(
        length=length,
        lengths={
            "query": settings.number("query_length") or length,
            "doc": settings.number("document_length") or length,
        },
        lowercase=settings.flag("do_lower_case", False),
        is_chat=is_chat,
        expansion=expansion,
    )


def _handed_on(settings: Settings) -> Settings:
    """Return what is handed to transformers' tokenizer, once it is clear that lir may leave out the rest."""
    for kind, harmless in _HANDED_ON.items():
        for name in (f"{kind}_args", f"{_NEW_NAMES.get(kind, kind)}_kwargs"):
            for key, value in settings.inner(name).items():
                if key not in (*harmless, *_ALWAYS_HARMLESS):
                    raise CheckpointError(
                        f"'{settings.path}' hands {key} {value!r} to transformers, in {name}; lir does not."
                    )
    return settings.inner("processor_kwargs" if "processor_kwargs" in settings else "tokenizer_args")


def _is_chat(settings: Settings) -> bool:
    modalities = settings.inner("modality_config")
    for name in modalities:
        if name in ("text", "message") and modalities.inner(name).text("method", "forward") != "forward":
            raise CheckpointError(
                f"'{settings.path}' calls the model's {modalities.inner(name)['method']!r} on texts; lir calls forward."
            )
    return "message" in modalities


def write_transformer(folder: Path, lengths: Mapping[Side, int | None], *, lowercase: bool, **values: Any) -> None:
    """Write the settings of a Transformer module.

    Args:
        folder: Its folder.
        lengths: Most tokens of either side. Where they are the same, versions before 5.4 read the file too; lengths that
            differ are known from 6.0 on.
        lowercase: Whether texts are lower-cased.
        **values: What else there is to say.
    """
    found: dict[str, Any] = {"do_lower_case": lowercase, **values}
    if None not in lengths.values():
        found["max_seq_length"] = lengths["doc"]  # also of texts that are of no side
    if lengths["query"] != lengths["doc"]:
        found |= {"query_length": lengths["query"], "document_length": lengths["doc"]}
    write_json(folder / FILE, found)
