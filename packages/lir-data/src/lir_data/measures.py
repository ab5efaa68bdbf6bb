"""The names of measures: ``nDCG@10``, ``AP(rel=2)``.

MacAvaney et al. (2022), *Streamlining Evaluation with ir-measures*. https://arxiv.org/abs/2111.13466
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from lir_data.errors import UnknownMeasureError, did_you_mean

_LISTING = "all measures: https://ir-measur.es/en/latest/measures.html"


def parse_measures(measures: Sequence[Any]) -> list[Any]:
    """Turn the names of measures into the measures of ir-measures, whose ``str`` is the canonical name.

    Args:
        measures: Names such as ``nDCG@10``, ``R(rel=2)@100`` or ``MAP``; measures of ir-measures stay as they are.

    Returns:
        As many `ir_measures.Measure`, each of which can be computed here.

    Raises:
        UnknownMeasureError: If there is no such measure (the message names the nearest), or what computes it is not
            installed (the message says which package does).
    """
    return [_checked(_parsed(measure) if isinstance(measure, str) else measure) for measure in measures]


def _parsed(text: str) -> Any:
    import ir_measures

    known = ir_measures.measures.registry
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


def _checked(measure: Any) -> Any:
    import ir_measures

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
