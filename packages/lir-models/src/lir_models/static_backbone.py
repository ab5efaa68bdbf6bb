"""A table of token vectors in the place of a transformer."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from lir_models.checkpoints.files import read_tokenizer, read_weights, readable
from lir_models.errors import CheckpointError
from lir_models.tokenization import Tokenizer

_WEIGHT = "embedding.weight"


class StaticBackbone(nn.Module):
    """A vector for each token, whatever stands beside it.

    Args:
        weight: The vectors.
    """

    def __init__(self, weight: Float[Tensor, "vocabulary dim"]) -> None:
        from transformers import PretrainedConfig

        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(weight, freeze=False)
        settings: Any = PretrainedConfig
        self.config = settings(hidden_size=weight.shape[1], vocab_size=weight.shape[0])
        self.name_or_path = ""

    def forward(self, input_ids: Int[Tensor, "texts length"], **options: Any) -> Any:
        """Look the tokens up; returns what a transformer does, by the same name."""
        del options
        return SimpleNamespace(last_hidden_state=self.embedding(input_ids))

    def save_pretrained(self, folder: Path) -> None:
        """Write the vectors by the name that sentence-transformers has for them."""
        from safetensors.torch import save_file

        save_file({_WEIGHT: self.embedding.weight.detach().cpu().contiguous()}, folder / "model.safetensors")


def load_static(folder: Path) -> tuple[StaticBackbone, Tokenizer]:
    """Load vectors and tokenizer, as sentence-transformers or model2vec save them.

    Raises:
        CheckpointError: If either is missing, or they do not fit each other.
    """
    with readable(folder):
        weight = _vectors(folder)
        tokenizer = _tokenizer(folder)
    if weight.ndim != 2 or len(tokenizer.tokenizer) > len(weight):
        raise CheckpointError(
            f"'{folder}' has vectors of the shape {list(weight.shape)}, and {len(tokenizer.tokenizer)} tokens."
        )
    return StaticBackbone(weight).eval(), tokenizer


def _vectors(folder: Path) -> Float[Tensor, "vocabulary dim"]:
    weights = read_weights(folder)
    if _WEIGHT in weights:
        return weights[_WEIGHT].float()
    if "embeddings" not in weights:
        raise CheckpointError(f"'{folder}' holds no vectors of tokens: neither {_WEIGHT} nor embeddings.")
    # model2vec has a vector for several tokens, and weighs each token.
    vectors = weights["embeddings"].float()
    if "mapping" in weights:
        vectors = vectors[weights["mapping"].long()]
    return vectors * weights["weights"].float().unsqueeze(1) if "weights" in weights else vectors


def _tokenizer(folder: Path) -> Tokenizer:
    from transformers import PreTrainedTokenizerFast

    inner = read_tokenizer(folder)
    if inner is None:
        raise CheckpointError(f"'{folder}' has no tokenizer.json.")
    # Padding is masked, so any token will do; one that is special already leaves the others as they are.
    special = [token.content for token in inner.get_added_tokens_decoder().values() if token.special]
    padding = next(iter([*special, getattr(inner.model, "unk_token", None)]), None)
    if padding is None:
        raise CheckpointError(f"The tokenizer in '{folder}' has no special token, so no batch can be padded.")
    return Tokenizer(PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=padding))
