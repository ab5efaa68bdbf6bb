"""Whether the difference between two runs could be chance: paired tests over queries, with correction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from lir_data.arguments import check_choice
from lir_data.errors import ArgumentError, did_you_mean
from lir_data.evaluation import values_by_query
from lir_data.measures import parse_measures
from lir_data.taken import GivenQrels, GivenRun, take_qrels, take_run

Test = Literal["t-test", "randomization"]
Correction = Literal["holm", "bonferroni"]


# As many as Smucker et al. draw: a p-value of 0.05 is then known to within 0.0014 (two standard errors).
_RESAMPLES = 100_000
# Of those so many lie in memory at a time.
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside the baseline, by one measure.

    Args:
        run: The run's name.
        baseline: The baseline's name.
        measure: The canonical name of the measure.
        mean: Of the run, over all judged queries.
        baseline_mean: Of the baseline.
        p_value: How likely a difference of at least this size, in either direction, would be if the two were alike.
        corrected_p_value: The same for the whole family, the comparisons by this measure; None if no correction was asked
            for.
        num_queries: Judged queries.
        wins: Queries for which the run's value is the higher.
        ties: Queries for which both values are equal.
        losses: Queries for which the run's value is the lower.
    """

    run: str
    baseline: str
    measure: str
    mean: float
    baseline_mean: float
    p_value: float
    corrected_p_value: float | None
    num_queries: int
    wins: int
    ties: int
    losses: int

    @property
    def difference(self) -> float:
        """The run's mean less the baseline's."""
        return self.mean - self.baseline_mean


def compare_runs(
    runs: Mapping[str, GivenRun],
    qrels: GivenQrels,
    measures: Sequence[Any],
    *,
    baseline: str | None = None,
    test: Test = "t-test",
    correction: Correction | None = "holm",
    seed: int = 0,
) -> list[Comparison]:
    """Compare runs with a baseline, and say how surely they differ.

    Every judged query counts: one that a run lacks counts 0 for it, as in `evaluate`, and how many there are is logged.

    Args:
        runs: By name, scores by document by query, or a source of them (see `read_run`); at least two.
        qrels: Relevance by document by query, or a source of them (see `read_qrels`); at least two queries.
        measures: Names such as ``nDCG@10``, or measures of ir-measures; one name alone will do.
        baseline: The name of the run that the others are compared with; None for the first.
        test: ``t-test``: Student's paired t-test, two-sided. ``randomization``: of the differences' signs, two-sided,
            with the mean as statistic; exact for 16 queries or fewer, otherwise of 100,000 draws.
        correction: Several runs compared with one baseline find a difference by chance more often than one. ``holm`` and
            ``bonferroni`` keep the chance of any such find in a family below the level of the test; a family is all
            comparisons by one measure. Holm's is never the weaker of the two. None corrects nothing.
        seed: Decides what the randomization test draws.

    Returns:
        For each measure each run but the baseline, in the orders given.

    Raises:
        UnknownMeasureError: If there is no such measure.
        ArgumentError: If there are fewer than two runs or judged queries, the baseline is none of the runs, or there is no
            such test or correction (the message names the nearest).
        EmptySourceError: If there are no judgements.

    References:
        Smucker, Allan and Carterette (2007), *A Comparison of Statistical Significance Tests for Information Retrieval
        Evaluation*. https://doi.org/10.1145/1321440.1321528. Fuhr (2017), *Some Common Mistakes in IR Evaluation, and How
        They Can Be Avoided*, on correction. https://doi.org/10.1145/3190580.3190586. Holm (1979), *A Simple Sequentially
        Rejective Multiple Test Procedure*.
    """
    check_choice("compare_runs", "test", test, get_args(Test))
    check_choice("compare_runs", "correction", correction, (*get_args(Correction), None))
    parsed = list(dict.fromkeys(parse_measures([measures] if isinstance(measures, str) else measures)))
    if len(runs) < 2:
        named = f", '{next(iter(runs))}'" if runs else ""
        raise ArgumentError(f"compare_runs: the number of runs is {len(runs)}{named}; two at least can be compared.")
    baseline = next(iter(runs)) if baseline is None else baseline
    if baseline not in runs:
        raise ArgumentError(f"compare_runs: there is no run '{baseline}' to be the baseline.{_among(baseline, runs)}")
    judged = take_qrels(qrels)
    if len(judged) == 1:
        raise ArgumentError(f"There is one judged query, '{next(iter(judged))}'; a test needs two at least.")
    values = {name: values_by_query(take_run(run), judged, parsed, f"The run '{name}'") for name, run in runs.items()}
    found: list[Comparison] = []
    for measure in parsed:
        columns = {name: np.fromiter(of_run[measure].values(), np.float64) for name, of_run in values.items()}
        base = columns.pop(baseline)
        p_values = [_p_value(test, column, base, seed) for column in columns.values()]
        corrected = [None] * len(p_values) if correction is None else _CORRECT[correction](p_values)
        found += [
            Comparison(
                name,
                baseline,
                str(measure),
                float(column.mean()),
                float(base.mean()),
                p_value,
                corrected_p_value,
                len(base),
                int((column > base).sum()),
                int((column == base).sum()),
                int((column < base).sum()),
            )
            for (name, column), p_value, corrected_p_value in zip(columns.items(), p_values, corrected, strict=True)
        ]
    return found


def _among(name: str, runs: Mapping[str, Any]) -> str:
    return did_you_mean(name, runs) or f" The runs are {', '.join(map(repr, runs))}."


def _p_value(test: Test, values: np.ndarray, base: np.ndarray, seed: int) -> float:
    differences = values - base
    if not differences.any():
        return 1.0
    return _t_test(values, base) if test == "t-test" else _randomization(differences, seed)


def _t_test(values: np.ndarray, base: np.ndarray) -> float:
    from scipy import stats

    differences = values - base
    # One that does not vary but for rounding is infinitely many standard errors from 0, of which scipy warns.
    if np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        return 0.0
    return float(stats.ttest_rel(values, base).pvalue)


def _randomization(differences: np.ndarray, seed: int) -> float:
    from scipy import stats

    def statistic(differences: np.ndarray, axis: int) -> np.ndarray:
        return np.abs(differences.mean(axis=axis))

    result = stats.permutation_test(
        (differences,),
        statistic,
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=_AT_ONCE,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _holm(p_values: Sequence[float]) -> list[float]:
    """Multiply the smallest by their number, the next by one less, and so on; none may fall below a smaller one."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def _bonferroni(p_values: Sequence[float]) -> list[float]:
    return [min(1.0, len(p_values) * p_value) for p_value in p_values]


_CORRECT = {"holm": _holm, "bonferroni": _bonferroni}
