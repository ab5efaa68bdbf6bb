"""The names of measures."""

import subprocess
import sys

import ir_measures
import pytest

from lir_data import parse_measures
from lir_data.errors import UnknownMeasureError


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("nDCG@10", "nDCG@10"),
        ("AP(rel=2)", "AP(rel=2)"),
        (" R(rel=2)@100 ", "R(rel=2)@100"),
        ("MAP", "AP"),
        ("MRR@10", "RR@10"),
        ("IPrec@0.1", "IPrec@0.1"),
        ("P(judged_only=True)@5", "P(judged_only=True)@5"),
        ("nDCG(gains={1:0})@3", "nDCG(gains={1:0})@3"),
    ],
)
def test_a_name_becomes_a_measure(name: str, canonical: str) -> None:
    assert [str(measure) for measure in parse_measures([name])] == [canonical]


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("ndcg_cut_10", "nDCG@10"),
        ("P_10", "P@10"),
        ("P.5", "P@5"),
        ("recall_1000", "R@1000"),
        ("map", "AP"),
        ("map_cut_100", "AP@100"),
        ("recip_rank", "RR"),
        ("success_1", "Success@1"),
        ("iprec_at_recall_0.10", "IPrec@0.1"),
        ("num_rel_ret", "NumRet(rel=1)"),
        ("set_recall", "SetR"),
    ],
)
def test_trec_evals_names_are_known(name: str, canonical: str) -> None:
    assert [str(measure) for measure in parse_measures([name])] == [canonical]
    assert ir_measures.parse_trec_measure(name) == parse_measures([name])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nDCG@0", "'nDCG@0' has 0 for cutoff; it must be a whole number from 1 on"),
        ("P@0", "it must be a whole number from 1 on"),
        ("AP@0", "it must be a whole number from 1 on"),
        ("RR@0", "it must be a whole number from 1 on"),
        ("Judged@0", "it must be a whole number from 1 on"),
        ("ndcg_cut_0", "'nDCG@0' has 0 for cutoff"),
        ("P@-1", "'P@-1' has -1 for cutoff"),
        ("nDCG@1.5", "has 1.5 for cutoff"),
        ("nDCG@True", "has True for cutoff"),
        ("nDCG@99999999999", "has 99999999999 for cutoff"),
        ("AP(rel=0)", r"'AP\(rel=0\)' has 0 for rel; it must be a whole number from 1 on"),
        ("P(rel=-1)@5", "has -1 for rel"),
        ("IPrec@2", "has 2 for recall; it must be a number from 0 to 1"),
        ("SetF(beta=0)", "has 0 for beta; it must be a number above 0"),
        ("nDCG(gains={1:-1})@10", "none below 0"),
        ("nDCG(gains={'a':1})@10", "whole numbers by relevance"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_when_the_name_is_read(name: str, message: str) -> None:
    with pytest.raises(UnknownMeasureError, match=message):
        parse_measures([name])


def test_what_is_neither_a_name_nor_a_measure_is_refused() -> None:
    with pytest.raises(UnknownMeasureError, match="10 is no measure"):
        parse_measures([10])


def test_a_measure_stays_as_it_is() -> None:
    assert parse_measures([ir_measures.nDCG @ 10]) == [ir_measures.nDCG @ 10]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc@10", r"There is no measure 'ndgc@10'\. Did you mean 'nDCG@10'\?"),
        ("ndcg@10", r"There is no measure 'ndcg@10'\. Did you mean 'nDCG@10'\?"),
        ("mapp(rel=2)", r"Did you mean 'MAP\(rel=2\)'\?"),
        ("MRR10", "There is no measure 'MRR10'"),
        ("nDCG@x", r"The measure 'nDCG@x' cannot be read\. A measure is written as in 'nDCG@10'"),
        ("nDCG@", "The measure 'nDCG@' cannot be read"),
        ("P(5)", r"The measure 'P\(5\)' cannot be read"),
        ("", "The measure '' cannot be read"),
        ("R", r"The measure 'R' needs a value for cutoff, as in 'R@10'\."),
        ("nDCG(foo=2)@10", r"does not take these settings \(unsupported params found: \['foo'\]\). It knows: cutoff"),
    ],
)
def test_what_is_no_measure_is_a_sentence(name: str, message: str) -> None:
    with pytest.raises(UnknownMeasureError, match=message):
        parse_measures([name])


def test_a_measure_without_its_provider_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ir_measures.DefaultPipeline.providers:
        if provider.NAME == "pyndeval":
            monkeypatch.setattr(provider, "_is_available", False)
    with pytest.raises(UnknownMeasureError, match=r"'alpha_nDCG@10' cannot be computed here\. It needs pyndeval: pip"):
        parse_measures(["alpha_nDCG@10"])


def test_no_deprecated_part_of_python_is_used() -> None:
    code = "import lir_data; lir_data.parse_measures(['nDCG@10', 'AP(rel=2)'])"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
