"""How many tokens a transformer has positions for."""

import re
from typing import Any

from torch import nn

# What settings call it.
_SETTINGS = ("max_position_embeddings", "max_seq_len")
# What transformers calls the table of a text's positions; not those of distances, of boxes on a page, nor of pictures.
_TABLE = re.compile(r"(position_embeddings?|embed_positions?|positions?_embed|pos_emb|wpe)$")
_OTHER = re.compile(r"relative|rel_|(^|\.)[xyhw]_position|vision|visual|image|audio|patch")


def positions_of(backbone: nn.Module) -> int | None:
    """Count the tokens that a transformer has positions for.

    Kinds mean different things by the number in their settings: RoBERTa's and others keep the first rows of the table for
    padding, and count them. So the table is asked, too.

    Args:
        backbone: A transformer.

    Returns:
        The smallest of what settings and tables say; None where nothing limits a text's length.
    """
    config: Any = backbone.config
    settings = (config, getattr(config, "text_config", None))
    said = [getattr(part, name, None) for part in settings for name in _SETTINGS]
    counts = [count for count in said if isinstance(count, int) and count > 0]
    for name, module in backbone.named_modules():
        weight = getattr(module, "weight", None)
        if weight is not None and _TABLE.search(name) and not _OTHER.search(name):
            counts.append(len(weight) - _reserved(module))
    return min(counts, default=None)


def _reserved(table: nn.Module) -> int:
    """Count the first rows of a table that no token has: BART's kind say so, RoBERTa's name their padding's row."""
    padding: Any = getattr(table, "padding_idx", None)
    offset: Any = getattr(table, "offset", 0 if padding is None else padding + 1)
    return offset
