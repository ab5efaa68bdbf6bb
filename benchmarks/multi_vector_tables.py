"""What was measured over multi-vector embeddings, as tables."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.measuring import Round, Times, interleaved
from benchmarks.multi_vector_collection import Built, Collection, K
from benchmarks.tables import CLAIMS, Claim, markdown, report

LIR = "plaid, 4 bits"
PEERS = {"fast-plaid": 4, "xtr-warp": 1.5}
RECALLS = (0.87, 0.95)


@dataclass(frozen=True)
class Setting:
    """A way to search.

    Args:
        named: In words.
        recall: Which part of the exact results it finds.
        seconds: Of the processor for all queries, measured once.
        measured: Searches once.
    """

    named: str
    recall: float
    seconds: float
    measured: Round


@dataclass(frozen=True)
class Level:
    """The cheapest setting of each contender that reaches a recall, those that do not left out, and their times."""

    recall: float
    title: str
    settings: dict[str, Setting]
    times: dict[str, Times]

    def over(self, name: str) -> float | None:
        """How many times plaid's time another takes; None where one of them does not reach this recall."""
        return self.times[name].over(self.times[LIR]) if {name, LIR} <= self.times.keys() else None


def write(collection: Collection, indexes: dict[str, Built], swept: dict[str, list[Setting]], rounds: int) -> None:
    """Measure what is compared, then print and keep the tables."""
    num_queries, query_length, _ = collection.data.queries.shape
    levels = [measure(swept, recall, f"{recall:g}", num_queries, rounds) for recall in RECALLS]
    for name in PEERS:
        best = max(setting.recall for setting in swept[name])
        levels.append(measure(swept, best, f"{best:.3f}, most of {name}", num_queries, rounds))
    about = (
        f"Made-up embeddings: {len(collection.data.lengths):,} documents of {collection.data.lengths.mean():.0f} vectors, "
        f"{num_queries} queries of {query_length}, {collection.data.vectors.shape[1]} components, in clusters as those of "
        f"tokens are. Recall is the part of the {K} documents of exact search that is found. The peers have 4 bits too."
    )
    equal = (
        "At equal recall: of all settings tried, the cheapest of each that finds as much. Milliseconds a query of the "
        f"processor, medians of {rounds} rounds that take turns."
    )
    tried = "Of all settings tried, those that none other of the same index beats in both; measured once."
    sections = [
        about,
        equal,
        markdown(("recall", "search", "settings", "found", "ms", f"x {LIR}"), list(compared(levels))),
        "Indexes: seconds of the processor to build, once, k-means of four iterations where there are centroids.",
        markdown(("index", "centroids", "s", "MB"), list(built(indexes))),
        markdown(CLAIMS, [claim.row for claim in claims(indexes, swept, levels)]),
        tried,
        markdown(("search", "settings", "found", "ms"), list(frontiers(swept, num_queries))),
    ]
    packages = ["lir-index", "numba", "faiss-cpu", "numpy"]
    report("multi_vector", "Search over multi-vector embeddings", sections, packages)


def measure(swept: dict[str, list[Setting]], recall: float, title: str, num_queries: int, rounds: int) -> Level:
    """Let the cheapest settings that reach a recall take turns."""
    chosen = {
        name: min(enough, key=lambda setting: setting.seconds)
        for name, settings in swept.items()
        if (enough := [setting for setting in settings if setting.recall >= recall])
    }
    times = interleaved({name: (setting.measured, num_queries) for name, setting in chosen.items()}, rounds)
    return Level(recall, title, chosen, times)


def compared(levels: list[Level]) -> Iterable[tuple[str, ...]]:
    """Rows of what was compared."""
    for level in levels:
        for name, setting in level.settings.items():
            ratio = level.over(name)
            yield (
                level.title,
                name,
                setting.named,
                f"{setting.recall:.3f}",
                f"{level.times[name].median:.2f}",
                "" if ratio is None else f"{ratio:.2f}",
            )


def built(indexes: dict[str, Built]) -> Iterable[tuple[str, ...]]:
    """Rows of the indexes."""
    for name, index in indexes.items():
        yield name, f"{index.num_centroids:,}", f"{index.seconds:.1f}", f"{index.megabytes:.1f}"


def frontiers(swept: dict[str, list[Setting]], num_queries: int) -> Iterable[tuple[str, ...]]:
    """Rows of the settings that find more than all that are cheaper."""
    for name, settings in swept.items():
        most = 0.0
        for setting in sorted(settings, key=lambda setting: setting.seconds):
            if setting.recall > most:
                most = setting.recall
                yield name, setting.named, f"{most:.3f}", f"{1000 * setting.seconds / num_queries:.2f}"


def claims(indexes: dict[str, Built], swept: dict[str, list[Setting]], levels: list[Level]) -> Iterable[Claim]:
    """Compare with the targets."""
    for name, target in PEERS.items():
        most = max(setting.recall for setting in swept[name])
        for level in levels:
            is_own = level.recall in RECALLS or name in level.title
            ratio = level.over(name) if is_own and level.recall <= most else None
            if ratio is not None:
                yield Claim(f"speed over {name} at a recall of {level.title}", ratio, target, True)
    own, other = indexes[LIR], indexes["fast-plaid"]
    yield Claim("speed of building over fast-plaid, as many centroids", other.seconds / own.seconds, 3, True)
    yield Claim("size of the index over fast-plaid's", own.megabytes / other.megabytes, 1.2, False)
    exact = next(iter(swept["exact"])).seconds
    slowest = max(
        setting.seconds
        for name, settings in swept.items()
        if name.startswith("plaid")
        for setting in settings
        if setting.recall >= RECALLS[-1]
    )
    yield Claim(f"time over exact search, the slowest setting from {RECALLS[-1]:g} on", slowest / exact, 1, False)
