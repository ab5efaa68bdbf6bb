"""What a length has room for: the least that a layout needs, and how a query and a document share the rest."""

from lir_models.errors import ConfigError


def shares(query: int, doc: int, room: int) -> tuple[int, int]:
    """Say how many tokens of a query and a document are kept in a room.

    The longer text is cut first: so each keeps half of the room, or all of itself.
    """
    kept = min(query, max(room // 2, room - doc))
    return kept, min(doc, room - kept)


def check_room(field: str, length: int | None, limit: int | None, least: int, needs: str) -> None:
    """Refuse a length in which nothing of a text would be read.

    Args:
        field: What the config calls the length.
        length: What it says.
        limit: The shorter of that and what the backbone takes; None for no limit.
        least: Tokens that are needed.
        needs: What needs them.

    Raises:
        ConfigError: If there is less room; the message names the least.
    """
    if limit is None or limit >= least:
        return
    said = f"{field} is {length}" if limit == length else f"{field} is {length}, and the backbone takes {limit} tokens"
    raise ConfigError(f"{said}, but {least} are the least here: {needs}.")
