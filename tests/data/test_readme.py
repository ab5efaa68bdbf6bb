"""The package's README does what it says."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "packages" / "lir-data" / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the tests lie apart from the sources")
def test_its_python_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ir_datasets_home: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    promised = re.findall(r"^print\(.*\)  # (.*)$", "".join(blocks), flags=re.MULTILINE)
    assert promised
    assert capsys.readouterr().out.splitlines() == promised
