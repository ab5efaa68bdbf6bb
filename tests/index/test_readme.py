import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "packages" / "lir-index" / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the tests lie apart from the sources")
def test_its_python_works(tmp_path, monkeypatch, capsys):
    pytest.importorskip("bm25s", reason="README has BM25 too")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) > 0
    printed = capsys.readouterr().out
    for shown in re.findall(r"print\(.*?\)  # (.*)", "".join(blocks)):
        assert shown in printed
