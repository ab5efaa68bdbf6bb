"""The names of measures: ``nDCG@10``, ``AP(rel=2)``.

MacAvaney et al. (2022), *Streamlining Evaluation with ir-measures*. https://arxiv.org/abs/2111.13466
"""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lir_data.errors import UnknownMeasureError, did_you_mean

_LISTING = "all measures: https://ir-measur.es/en/latest/measures.html"

# What trec_eval prints, and the measure that it is; behind those of the second kind stands a value.
_OF_TREC_EVAL = {
    "map": "AP",
    "ndcg": "nDCG",
    "recip_rank": "RR",
    "Rprec": "Rprec",
    "bpref": "Bpref",
    "infAP": "infAP",
    "num_q": "NumQ",
    "num_ret": "NumRet",
    "num_rel": "NumRel",
    "num_rel_ret": "NumRelRet",
    "set_P": "SetP",
    "set_recall": "SetR",
    "set_F": "SetF",
    "set_map": "SetAP",
}
_OF_TREC_EVAL_AT = {
    "ndcg_cut": "nDCG",
    "P": "P",
    "recall": "R",
    "map_cut": "AP",
    "success": "Success",
    "iprec_at_recall": "IPrec",
}
_AT = re.compile(rf"({'|'.join(_OF_TREC_EVAL_AT)})[_.](\d+(?:\.\d+)?)")

# What a setting may be, and how that is said. Beyond, the tools abort, or give numbers that mean nothing.
_RANGES = {
    "cutoff": (lambda value: _is_whole(value) and 1 <= value < 2**31, "a whole number from 1 on"),
    "rel": (lambda value: _is_whole(value) and 1 <= value < 2**31, "a whole number from 1 on"),
    "min_rel": (lambda value: _is_whole(value) and 0 <= value < 2**31, "a whole number from 0 on"),
    "max_rel": (lambda value: _is_whole(value) and 1 <= value < 2**31, "a whole number from 1 on"),
    "recall": (lambda value: 0 <= value <= 1, "a number from 0 to 1"),
    "p": (lambda value: 0 < value < 1, "a number between 0 and 1"),
    "T": (lambda value: 0 < value < math.inf, "a number above 0"),
    "alpha": (lambda value: 0 <= value <= 1, "a number from 0 to 1"),
    "beta": (lambda value: 0 < value < math.inf, "a number above 0"),
    "gains": (lambda value: _are_gains(value), "whole numbers by relevance, as in {1:1,2:3}, none below 0"),
}


def parse_measures(measures: Sequence[Any]) -> list[Any]:
    """Turn the names of measures into the measures of ir-measures, whose ``str`` is the canonical name.

    Args:
        measures: Names such as ``nDCG@10``, ``R(rel=2)@100`` or ``MAP``, or of trec_eval, such as ``ndcg_cut_10``; measures
            of ir-measures stay as they are.

    Returns:
        As many `ir_measures.Measure`, each of which can be computed here.

    Raises:
        UnknownMeasureError: If there is no such measure (the message names the nearest), a setting is outside of its range,
            or what computes it is not installed (the message says which package does).
    """
    import ir_measures

    for measure in measures:
        if not isinstance(measure, str | ir_measures.Measure):
            raise UnknownMeasureError(
                f"{measure!r} is no measure; a measure is a name such as 'nDCG@10', or one of ir-measures.",
                hint=_LISTING,
            )
    return [_checked(_parsed(measure) if isinstance(measure, str) else measure) for measure in measures]


def _parsed(text: str) -> Any:
    import ir_measures

    known = ir_measures.measures.registry
    if text.strip() in _OF_TREC_EVAL:
        return known[_OF_TREC_EVAL[text.strip()]]
    if at := _AT.fullmatch(text.strip()):
        return known[_OF_TREC_EVAL_AT[at[1]]] @ ast.literal_eval(at[2].lstrip("0") or "0")
    try:
        name, settings, cutoff = _parts(text)
    except (SyntaxError, ValueError):
        raise UnknownMeasureError(
            f"The measure '{text}' cannot be read. A measure is written as in 'nDCG@10' or 'AP(rel=2)@100'."
            + did_you_mean(text, known),
            hint=_LISTING,
        ) from None
    if name not in known:
        raise UnknownMeasureError(f"There is no measure '{text}'.{_nearest(name, text, known)}", hint=_LISTING)
    measure = known[name]
    return measure(**settings) if cutoff is None else measure(**settings) @ cutoff


def _parts(text: str) -> tuple[str, dict[str, Any], Any]:
    """Split a measure into name, settings and cut-off.

    ir_measures.parse_measure does the same by parts of `ast` that Python 3.12 deprecates and 3.14 lacks.
    """
    node = ast.parse(text.strip(), mode="eval").body
    settings: dict[str, Any] = {}
    cutoff = None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        cutoff, node = ast.literal_eval(node.right), node.left
    if isinstance(node, ast.Call) and not node.args:
        settings = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
        node = node.func
    if not isinstance(node, ast.Name):
        raise ValueError(text)
    return node.id, settings, cutoff


def _nearest(name: str, text: str, known: Mapping[str, Any]) -> str:
    """Return which name was meant, whatever its case, with the settings and cut-off of the text."""
    # Of names that differ by case alone, such as NDCG and nDCG, the measure's own is the last and stays.
    by_lower_case = {proper.lower(): proper for proper in sorted(known, key=lambda name: name == known[name].NAME)}
    question = did_you_mean(name.lower(), by_lower_case)
    for lower, proper in by_lower_case.items():
        question = question.replace(f"'{lower}'", f"'{text.strip().replace(name, proper, 1)}'")
    return question


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_gains(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_whole(relevance) and _is_whole(gain) and gain >= 0
        for relevance, gain in value.items()  # pyright: ignore[reportUnknownVariableType]
    )


def _check_ranges(measure: Any) -> None:
    for name, value in measure.params.items():
        if name not in _RANGES or name not in measure.SUPPORTED_PARAMS:
            continue  # ir-measures refuses it below
        is_allowed, words = _RANGES[name]
        is_of_kind = isinstance(value, dict | int | float) and not isinstance(value, bool)
        if not is_of_kind or not is_allowed(value):
            raise UnknownMeasureError(
                f"The measure '{measure}' has {value!r} for {name}; it must be {words}.", hint=_LISTING
            )


def _checked(measure: Any) -> Any:
    import ir_measures

    _check_ranges(measure)
    lacking = [name for name, info in measure.SUPPORTED_PARAMS.items() if info.required and name not in measure.params]
    if lacking:
        example = f", as in '{measure}@10'" if lacking[0] == "cutoff" else ""
        raise UnknownMeasureError(f"The measure '{measure}' needs a value for {lacking[0]}{example}.", hint=_LISTING)
    try:
        if ir_measures.DefaultPipeline.supports(measure):
            return measure
    except AssertionError as error:  # how ir-measures refuses settings
        allowed = ", ".join(measure.SUPPORTED_PARAMS) or "none"
        raise UnknownMeasureError(
            f"The measure '{measure.NAME}' does not take these settings ({error}). It knows: {allowed}."
        ) from None
    able = [provider for provider in ir_measures.DefaultPipeline.providers if provider.supports(measure)]
    advice = f" It needs {able[0].NAME}: {able[0].install_instructions() or 'not installed'}." if able else ""
    raise UnknownMeasureError(f"The measure '{measure}' cannot be computed here.{advice}")
