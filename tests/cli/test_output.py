"""What is printed, on a terminal and elsewhere."""

import os
import pty
import subprocess
import sys

import pytest

from lir_cli import output

ROWS = 'print_table(("rank", "score", "text"), [(1, 0.5, "a\\tb\\nc " + "x" * 400)])'


def test_a_table_for_a_program_is_whole_and_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("rank", "score", "text"), [(1, 0.5, "a\tb\nc " + "x" * 400)])
    assert capsys.readouterr().out == f"rank\tscore\ttext\n1\t0.5000\ta b c {'x' * 400}\n"


def test_a_long_text_is_cut_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    code = f"from lir_cli.output import print_table; {ROWS}"
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
    subprocess.run([sys.executable, "-c", code], check=True, stdout=theirs, env=environment)
    os.close(theirs)
    shown = b""
    # Linux says by an error that the other side is closed.
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass
    os.close(ours)
    assert 200 < shown.count(b"x") < 300
    assert "…" in shown.decode()


def shown_at(width: int, code: str) -> str:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(width), "NO_COLOR": "1", "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", code], check=True, stdout=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_a_table_that_is_too_wide_for_the_terminal_is_printed_row_by_row() -> None:
    code = (
        "from lir_cli.output import print_table\n"
        "columns = [f'column{number}' for number in range(10)]\n"
        "print_table(columns, [['value'] * 10, ['other'] * 10])"
    )
    assert "\ncolumn9  value\n\ncolumn0  other\n" in shown_at(80, code)
    assert "column0  value" not in shown_at(160, code)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    now = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    return now


def test_progress_is_a_plain_line_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    progress = output.Progress("index", 3000, "docs")
    for seconds in (5.0, 11.0, 12.0):
        clock[0] = seconds
        progress.advance(500)
    progress.close()
    assert capsys.readouterr().err.splitlines() == [
        "index: 1,000 of 3,000, 22 s left (91 docs/s)",
        "index: 1,500 docs in 12.0 s",
    ]


def test_a_note_is_asked_for_only_when_it_is_shown(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    progress = output.Progress("train", None, "steps")
    asked: list[float] = []
    for seconds in (1.0, 15.0):
        clock[0] = seconds
        progress.advance(1, lambda: f"loss {asked.append(clock[0]) or 0.5}")
    assert asked == [15.0]
    assert capsys.readouterr().err == "train: 2 (0.1 steps/s, loss 0.5)\n"


OWNED = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\ud800"


@pytest.mark.parametrize("stream", ["table", "note", "progress"])
def test_data_does_not_write_to_the_terminal(stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    if stream == "table":
        output.print_table(("document", OWNED), [(f"a\r{OWNED}", "b")])
    elif stream == "note":
        output.say(f"The run is in {OWNED}")
    else:
        output.Progress(OWNED, None, OWNED).close()
    printed = "".join(capsys.readouterr())
    assert printed.count("]0;owned") == 2 if stream != "note" else 1
    assert not {character for character in printed if not character.isprintable()} - {"\n", "\t"}
