"""What a format says of a folder: the rule, where the backbone lies, and where the weights of the heads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lir_models.checkpoints.files import read_settings
from lir_models.config import BiEncoderConfig, CrossEncoderConfig
from lir_models.fields import Side

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["bi-encoder", "cross-encoder", "backbone"]

#: Weights of one side's head, by the names that they have in lir's module.
HeadWeights = dict[str, "Tensor"]


def _no_heads(side: Side) -> HeadWeights:
    del side
    return {}


@dataclass(frozen=True)
class Source:
    """Where weights came from.

    Args:
        name: As in `from_pretrained`.
        revision: That was asked for.
        is_plain: Whether transformers loads the backbone by this name.
    """

    name: str
    revision: str | None = None
    is_plain: bool = False


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a model is, read from the small files of its folder; no weights are read yet.

    Args:
        kind: A plain ``backbone`` has no rule for scores.
        config: The rule; None for a backbone.
        folder: Where the backbone and its tokenizer lie; of two encoders, the documents'.
        query_folder: Where the queries' own encoder (or just its tokenizer) lies, if it has one.
        backbone_config: The backbone's settings, where ``config.json`` is not transformers' own.
        key_mapping: Regular expressions for names of backbone weights, and what replaces them.
        heads: Reads the weights of the heads of one side; of a shared encoder, ``doc``.
        source: What the backbone in ``folder`` is called.
        adapter: Where an adapter of the backbone lies; ``folder`` is then its base model's.
        query: The queries' own backbone and adapter.
        of_base: Fields of the rule that an adapter has from its base model's, where that has one.
    """

    kind: Kind
    config: BiEncoderConfig | CrossEncoderConfig | None
    folder: Path
    query_folder: Path | None = None
    backbone_config: Mapping[str, Any] | None = None
    key_mapping: Mapping[str, str] | None = None
    heads: Callable[[Side], HeadWeights] = _no_heads
    source: Source = Source("")
    adapter: Path | None = None
    query: "Checkpoint | None" = None
    of_base: tuple[str, ...] = ()

    def tokenizer_folder(self, folder: Path) -> Path:
        """Return where the tokenizer of the backbone in ``folder`` lies: beside the adapter, if one was saved there."""
        has_own = self.adapter is not None and (self.adapter / "tokenizer_config.json").is_file()
        return self.adapter if self.adapter is not None and has_own else folder

    def settings(self, folder: Path) -> Mapping[str, Any] | None:
        """Return the settings of the backbone in ``folder``, where the tokenizer has no config.json beside it."""
        if self.backbone_config is not None or self.tokenizer_folder(folder) == folder:
            return self.backbone_config
        return read_settings(folder / "config.json")
