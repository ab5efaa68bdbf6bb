"""Tiny random models and tokenizers, the texts they read, and how a golden folder is written; the same for all makers."""

import json
import platform
import re
import shutil
import string
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = Path(__file__).parent

WORDS = "the of is what how in capital berlin paris germany france long deep river lake blue".split()  # noqa: SIM905
LETTERS = "adenort"  # enough to spell the words that the vocabulary lacks

# Different lengths; the third query and the second document are longer than the limits, repeat words and have signs.
QUERIES = [
    "what is the capital of germany?",
    "blue",
    "how long, how deep is the river: the long river in france, the blue river",
]
DOCS = [
    "berlin is the capital of germany.",
    "the river, the long river, is deep - deep and blue; the lake is long, the lake of france not red.",
    "paris",
    "Paris (France), 東京: not the capital of germany!",  # letters that no vocabulary here knows: two [UNK]
]
QUERY_LENGTH = 16  # Lightning IR wants multiples of eight
DOC_LENGTH = 24
PAIR_LENGTH = 32
POSITIONS = 48


def vocabulary(punctuation: str = string.punctuation) -> list[str]:
    """About 70 word pieces."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
    return [*specials, *punctuation, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]


def save_bert(
    folder: Path,
    architecture: str = "BertModel",
    *,
    seed: int,
    punctuation: str = string.punctuation,
    length: int = POSITIONS,
    config_class: str = "BertConfig",
    **options: Any,
) -> Path:
    """Save a random model of one layer and 16 dimensions with its tokenizer; ``options`` go to the config."""
    folder.mkdir(parents=True)
    words = vocabulary(punctuation)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=length).save_pretrained(folder)
    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": POSITIONS,
    }
    made = getattr(transformers, config_class)(vocab_size=len(words), **(sizes | options))
    model = getattr(transformers, architecture)(made)
    randomise(model, seed)
    model.save_pretrained(folder)
    return folder


def save_t5(folder: Path, *, seed: int, **options: Any) -> Path:
    """Save a random T5 of one layer on either side, with a tokenizer of the pieces that its ranking prompt needs."""
    prompt = ["▁", "Query", ":", "▁Document", "▁Relevan", "t"]
    letters = [letter for letter in "abcdefghijklmnopqrsuvwxyz?.,;()!-PF" if letter not in prompt]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(piece, -2.0) for piece in prompt] + [(f"▁{word}", -3.0) for word in WORDS]
    pieces += [(letter, -6.0) for letter in letters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    transformers.T5TokenizerFast(tokenizer_object=tokenizer, extra_ids=0).save_pretrained(folder)
    config = transformers.T5Config(
        vocab_size=len(pieces),
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=0,
        **options,
    )
    model = transformers.T5Model(config)
    randomise(model, seed)
    model.save_pretrained(folder)
    return folder


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Give every parameter a value of its own, so that one which is forgotten or swapped changes the scores.

    By NumPy, whose normal numbers are the same on every processor.
    """
    random = np.random.default_rng(seed)
    for name, parameter in sorted(model.named_parameters()):
        values = random.standard_normal(tuple(parameter.shape), dtype=np.float32)
        centre = float("norm" in name.lower() and name.endswith("weight"))
        spread = 0.5 if parameter.ndim > 1 else 0.25
        parameter.data.copy_(torch.from_numpy(centre + spread * values))
    model.eval()


def number(value: float) -> float:
    """Eight significant digits: more than float32 has."""
    return float(f"{value:.8g}")


def numbers(values: Any) -> Any:
    """A tensor, an array or rows of them as (rows of) rounded numbers."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().tolist()
    if isinstance(values, np.ndarray):
        values = values.tolist()
    return [numbers(value) for value in values] if isinstance(values, list | tuple) else number(values)


def weights(vectors: torch.Tensor) -> list[dict[int, float]]:
    """Each row of a matrix as the weights of those dimensions that are not zero."""
    vectors = vectors.to_dense() if vectors.is_sparse else vectors
    return [{int(place): number(row[place].item()) for place in row.nonzero().flatten()} for row in vectors]


def tokens(tokenizer: Any, ids: torch.Tensor, mask: torch.Tensor) -> list[str]:
    """The tokens of each row that can be attended to, with spaces between them."""
    rows = zip(ids, mask.bool(), strict=True)
    return [" ".join(tokenizer.convert_ids_to_tokens(row[attended].tolist())) for row, attended in rows]


def new_folder(name: str) -> Path:
    """An empty golden folder."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def write_expected(folder: Path, script: str, packages: Sequence[str], expected: Mapping[str, Any]) -> None:
    """Write ``expected.json``, and remove from the checkpoint what no loader reads."""
    for path in sorted((folder / "checkpoint").rglob("*"), reverse=True):
        if path.name in {"README.md", ".gitattributes", "vocab.txt", "special_tokens_map.json"}:
            path.unlink()
    made_by = [*(f"{package} {version(package)}" for package in packages), f"Python {platform.python_version()}"]
    content = {"made_by": ", ".join(made_by), "script": f"tests/models/golden/{Path(script).name}", **expected}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    # One vector a line.
    text = re.sub(r"(?<=\[)[\s\d.,e+\-]+(?=\])|(?<=\{)[\s\d.,e+\-:\"]+(?=\})", flatten, text)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")
    check_paths(folder.rglob("*.json"))
    print(folder.name, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def flatten(match: re.Match[str]) -> str:
    """The same text on one line."""
    return " ".join(match.group().split())


def check_paths(paths: Iterable[Path]) -> None:
    """No file tells where it was made."""
    for path in paths:
        assert str(HERE) not in path.read_text(encoding="utf-8"), f"{path} names the folder that it was made in."
        assert "/tmp" not in path.read_text(encoding="utf-8"), f"{path} names a folder for temporary files."
