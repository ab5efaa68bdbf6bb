"""Tests that need the network are skipped, with the reason, unless it is asked for."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
NEEDS_NETWORK = "import pytest\n\n\n@pytest.mark.network\ndef test_download():\n    pass\n"
NEEDS_NOTHING = "def test_anything():\n    pass\n"


@pytest.fixture
def tests(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with a copy of the root's conftest.py."""
    pytester.makeconftest((Path(__file__).parents[2] / "conftest.py").read_text("utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n    network\n")
    return pytester


def test_offline_skips_what_needs_the_network(tests: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tests.makepyfile(NEEDS_NETWORK)
    tests.runpytest_inprocess().assert_outcomes(skipped=1)


def test_online_runs_what_needs_the_network(tests: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    tests.makepyfile(NEEDS_NETWORK)
    tests.runpytest_inprocess().assert_outcomes(passed=1)


def test_offline_is_the_default(tests: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    tests.makepyfile(NEEDS_NETWORK)
    tests.runpytest_inprocess().assert_outcomes(skipped=1)


def test_offline_runs_what_needs_no_network(tests: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tests.makepyfile(NEEDS_NOTHING)
    tests.runpytest_inprocess().assert_outcomes(passed=1)
