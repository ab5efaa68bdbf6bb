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
        index: Which index is searched.
        named: In words.
        recall: Which part of the exact results it finds.
        seconds: Of the processor for all queries, measured once.
        measured: Searches once.
    """

    index: str
    named: str
    recall: float
    seconds: float
    measured: Round

    @property
    def name(self) -> str:
        """Tells it from all others."""
        return f"{self.index}: {self.named}"


@dataclass(frozen=True)
class Level:
    """The cheapest setting of each index that reaches a recall; indexes that do not are left out.

    Args:
        title: The recall, and what has it.
        peers: Whose claims are judged here.
        settings: By index.
    """

    title: str
    peers: tuple[str, ...]
    settings: dict[str, Setting]

    def over(self, name: str, times: dict[str, Times]) -> float | None:
        """How many times plaid's time another takes; None where one of them does not reach this recall."""
        if not {name, LIR} <= self.settings.keys():
            return None
        return times[self.settings[name].name].over(times[self.settings[LIR].name])


def write(collection: Collection, indexes: dict[str, Built], settings: list[Setting], rounds: int) -> None:
    """Measure what is compared, then print and keep the tables."""
    num_queries, query_length, dim = collection.data.queries.shape
    lengths = collection.data.lengths
    levels = list(find_levels(settings))
    exact = next(setting for setting in settings if setting.index == "exact")
    precise = [one for one in settings if one.index.startswith("plaid") and one.recall >= RECALLS[-1]]
    slowest = max(precise, key=lambda one: one.seconds)
    compared = [exact, slowest, *(one for level in levels for one in level.settings.values())]
    times = interleaved({one.name: (one.measured, num_queries) for one in compared}, rounds)
    about = (
        f"Made-up embeddings: {len(lengths):,} documents of {lengths.mean():.0f} vectors, "
        f"{num_queries} queries of {query_length}, {dim} components, in clusters as those of tokens are. Recall is the "
        f"part of the {K} documents of exact search that is found. The peers' indexes have 4 bits."
    )
    equal = (
        "At equal recall: of all settings tried, the cheapest of each index that finds at least as much. Milliseconds "
        f"a query of the processor, medians of {rounds} rounds that take turns. Exact search takes "
        f"{times[exact.name].median:.1f} ms; of plaid's settings that find {RECALLS[-1]:g} or more, the slowest "
        f"({slowest.name}) {times[slowest.name].median:.1f} ms."
    )
    claims = [
        *claim_speed(levels, times),
        *claim_building(indexes),
        Claim("time of plaid's slowest over exact search", times[slowest.name].over(times[exact.name]), 1, False),
    ]
    sections = [
        about,
        equal,
        markdown(("recall", "index", "settings", "found", "ms", f"x {LIR}"), list(compare(levels, times))),
        "Seconds of the processor to build an index, once (k-means has four iterations), and all of its files.",
        markdown(("index", "centroids", "s", "MB"), list(list_indexes(indexes))),
        markdown(CLAIMS, [claim.row for claim in claims]),
        "Of all settings tried, those that find more than every cheaper one of the same index; measured once.",
        markdown(("index", "settings", "found", "ms"), list(list_frontiers(settings, num_queries))),
    ]
    report(
        "multi_vector", "Search over multi-vector embeddings", sections, ["lir-index", "numba", "faiss-cpu", "numpy"]
    )


def find_levels(settings: list[Setting]) -> Iterable[Level]:
    """What is compared: at the recalls of the targets, at that of each peer's own choice, and at the most it finds."""
    found = {recall: (f"{recall:g}", tuple(PEERS)) for recall in RECALLS}
    for peer in PEERS:
        tried = [one for one in settings if one.index == peer]
        found.setdefault(tried[0].recall, (f"{tried[0].recall:g}, {peer} by default", (peer,)))
        most = max(one.recall for one in tried)
        found.setdefault(most, (f"{most:g}, most of {peer}", (peer,)))
    for recall, (title, peers) in sorted(found.items()):
        enough = sorted((one for one in settings if one.recall >= recall), key=lambda one: -one.seconds)
        yield Level(title, peers, {one.index: one for one in enough if one.index != "exact"})


def compare(levels: list[Level], times: dict[str, Times]) -> Iterable[tuple[str, ...]]:
    """Rows of what was compared."""
    for level in levels:
        for index, one in sorted(level.settings.items()):
            ratio = level.over(index, times)
            shown = "" if ratio is None else f"{ratio:.2f}"
            yield level.title, index, one.named, f"{one.recall:.3f}", f"{times[one.name].median:.2f}", shown


def list_indexes(indexes: dict[str, Built]) -> Iterable[tuple[str, ...]]:
    """Rows of the indexes."""
    for name, index in indexes.items():
        yield name, f"{index.num_centroids:,}", f"{index.seconds:.1f}", f"{index.megabytes:.1f}"


def list_frontiers(settings: list[Setting], num_queries: int) -> Iterable[tuple[str, ...]]:
    """Rows of the settings that find more than all that are cheaper."""
    most: dict[str, float] = {}
    for one in sorted(settings, key=lambda one: (one.index, one.seconds)):
        if one.recall > most.get(one.index, 0):
            most[one.index] = one.recall
            yield one.index, one.named, f"{one.recall:.3f}", f"{1000 * one.seconds / num_queries:.2f}"


def claim_speed(levels: list[Level], times: dict[str, Times]) -> Iterable[Claim]:
    """Compare times at equal recall with the targets."""
    for peer, target in PEERS.items():
        for level in levels:
            ratio = level.over(peer, times)
            if peer in level.peers and ratio is not None:
                yield Claim(f"speed over {peer}, recall {level.title}", ratio, target, True)


def claim_building(indexes: dict[str, Built]) -> Iterable[Claim]:
    """Compare indexes with the targets."""
    own, other = indexes[LIR], indexes["fast-plaid"]
    yield Claim("speed of building over fast-plaid, as many centroids", other.seconds / own.seconds, 3, True)
    yield Claim("size over fast-plaid's index", own.megabytes / other.megabytes, 1.2, False)
