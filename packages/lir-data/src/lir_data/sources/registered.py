"""Ids of ir_datasets that stand for local sources, in this process and in those that it sends datasets to."""

from collections.abc import Mapping

from lir_data.sources.parts import PartName

#: What each id was registered with: the names of its sources, by part.
REGISTERED: dict[str, dict[PartName, str]] = {}


class RegisteredId(str):
    """An id that takes along, when it is sent to another process, what it was registered with."""

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (str(self), REGISTERED[self])


def portable(dataset_id: str) -> str:
    """Return an id that means the same in another process."""
    return RegisteredId(dataset_id) if dataset_id in REGISTERED else dataset_id


def registered_source(dataset_id: str, part: PartName) -> str | None:
    """Return what an id was registered with for a part; None if it was not."""
    return REGISTERED.get(dataset_id, {}).get(part)


def _again(dataset_id: str, sources: Mapping[PartName, str]) -> RegisteredId:
    from lir_data.register import register_dataset  # which needs much that needs this module

    register_dataset(dataset_id, **sources)
    return RegisteredId(dataset_id)
