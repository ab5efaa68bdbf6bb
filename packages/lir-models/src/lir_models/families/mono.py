"""Mono: a pointwise cross-encoder, one score a pair.

Nogueira and Cho (2019), *Passage Re-ranking with BERT*, https://arxiv.org/abs/1901.04085; on T5, Nogueira et al. (2020),
*Document Ranking with a Pretrained Sequence-to-Sequence Model* (monoT5), https://arxiv.org/abs/2003.06713, and Zhuang et
al. (2022), *RankT5*, https://arxiv.org/abs/2210.10634
"""

from dataclasses import dataclass
from typing import Literal, get_args

from lir_models.config import CrossEncoderConfig
from lir_models.errors import ConfigError, did_you_mean
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
        labels: Of the strategy ``label``, the names of all labels, in the order of their logits.
        label: The one whose log-probability is the score. None while nobody has said which makes a document relevant:
            ``predict`` gives the logits of all, and ``score`` is refused.
    """

    pooling_strategy: RankerPooling = None
    linear_bias: bool = False
    answers: tuple[str, ...] | None = None
    chat_template: bool = False
    instruction: str = ""
    labels: tuple[str, ...] | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_labels()
        check_choice(self, "pooling_strategy", (*get_args(get_args(RankerPooling)[0]), None))
        allowed = (2,) if self.scoring_strategy == "mono" else (1, 2)
        if self.answers is not None and len(self.answers) not in allowed:
            numbers = " or ".join(map(str, allowed))
            raise ConfigError(
                f"answers are {self.answers!r}; the scoring strategy '{self.scoring_strategy}' takes {numbers}."
            )

    def _check_labels(self) -> None:
        is_asked_for = self.scoring_strategy == "label"
        if is_asked_for != (self.labels is not None) or (self.labels is not None and len(set(self.labels)) < 2):
            raise ConfigError(
                f"labels are {self.labels!r} and the scoring strategy is '{self.scoring_strategy}'; 'label' takes the names "
                "of two labels or more, and no other does."
            )
        if is_asked_for and self.answers is not None:
            raise ConfigError(f"answers are {self.answers!r}; the scoring strategy 'label' is of classifiers.")
        if self.label is not None and self.label not in (self.labels or ()):
            raise ConfigError(
                f"label is {self.label!r}, and the labels are {self.labels!r}.{did_you_mean(self.label, self.labels or ())}"
            )

    @property
    def num_labels(self) -> int:
        """Outputs of the classification head."""
        return super().num_labels if self.labels is None else len(self.labels)

    @property
    def scored_label(self) -> int:
        """Which of the labels is the score.

        Raises:
            ConfigError: If nobody has said it.
        """
        if self.labels is None or self.label is None:
            raise ConfigError(
                f"The model has the labels {', '.join(self.labels or ())}, and nobody has said which makes a document relevant.",
                hint=f"config=read_config(model).replace(label='{(self.labels or ('…',))[0]}'); predict gives all of them",
            )
        return self.labels.index(self.label)

    @property
    def answer_tokens(self) -> tuple[str, ...]:
        """The tokens whose logits are taken of T5's."""
        if self.answers is not None:
            return self.answers
        return ("▁false", "▁true") if self.scoring_strategy == "mono" else ("<extra_id_10>",)
