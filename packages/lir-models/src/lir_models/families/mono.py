"""Mono: a pointwise cross-encoder, one score a pair.

Nogueira and Cho (2019), *Passage Re-ranking with BERT*, https://arxiv.org/abs/1901.04085; on T5, Nogueira et al. (2020),
*Document Ranking with a Pretrained Sequence-to-Sequence Model* (monoT5), https://arxiv.org/abs/2003.06713, and Zhuang et
al. (2022), *RankT5*, https://arxiv.org/abs/2210.10634
"""

from dataclasses import dataclass
from typing import Literal, get_args

from lir_models.config import CrossEncoderConfig
from lir_models.errors import ConfigError
from lir_models.fields import check_choice

RankerPooling = Literal["first", "mean", "max", "sum", "bert_pool"] | None


@dataclass(frozen=True, kw_only=True)
class MonoConfig(CrossEncoderConfig):
    """A pointwise cross-encoder: each pair is scored by itself.

    On an encoder, transformers' own classification head scores, or, with a pooling strategy, one linear layer. On T5 it is
    one decoder step, on a causal language model the last position, and of all logits the answers' alone are computed.

    Args:
        pooling_strategy: How the tokens of a pair become one vector, for a linear layer to score; ``bert_pool`` is the first
            token through a layer and tanh, as in BERT. None for the classification head that transformers has for the
            backbone.
        linear_bias: Whether that linear layer has a bias.
        answers: On T5 and causal language models, the tokens whose logits are taken: for ``mono`` the one for *not
            relevant* and the one for *relevant*; for ``rank`` the latter alone, or both, and the score is their
            difference. None for those of monoT5, ``▁false`` and ``▁true``, and of RankT5, ``<extra_id_10>``; a causal
            language model without answers has a classification head.
        chat_template: Whether the tokenizer's chat template makes one text of query and document, which are messages of
            the roles ``query`` and ``document``.
        instruction: What the system message of that chat says; empty for none.
    """

    pooling_strategy: RankerPooling = None
    linear_bias: bool = False
    answers: tuple[str, ...] | None = None
    chat_template: bool = False
    instruction: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "pooling_strategy", (*get_args(get_args(RankerPooling)[0]), None))
        allowed = (2,) if self.scoring_strategy == "mono" else (1, 2)
        if self.answers is not None and len(self.answers) not in allowed:
            numbers = " or ".join(map(str, allowed))
            raise ConfigError(
                f"answers are {self.answers!r}; the scoring strategy '{self.scoring_strategy}' takes {numbers}."
            )

    @property
    def answer_tokens(self) -> tuple[str, ...]:
        """The tokens whose logits are taken of T5's."""
        if self.answers is not None:
            return self.answers
        return ("▁false", "▁true") if self.scoring_strategy == "mono" else ("<extra_id_10>",)
