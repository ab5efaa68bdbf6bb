"""Which documents something was made of, as one hash: equal only if their ids, texts and order are."""

import hashlib
from collections.abc import Iterable, Sequence

NOTHING = b""
"""The hash of no documents."""

_SIZE = 16


def extended(contents: bytes, digests: Iterable[bytes]) -> bytes:
    """Return the hash of documents and of those that follow them.

    Args:
        contents: The hash of the documents before, :data:`NOTHING` where there are none.
        digests: For each document that follows a hash of its id and its text.
    """
    for digest in digests:
        contents = hashlib.blake2b(contents + digest, digest_size=_SIZE).digest()
    return contents


def joined(ranks: Sequence[bytes | None]) -> str | None:
    """Return the hash of what several processes read, as a text; None where that of one is unknown."""
    if None in ranks:
        return None
    known = [contents or b"" for contents in ranks]
    return (known[0] if len(known) == 1 else extended(NOTHING, known)).hex()


def parsed(text: str | None) -> bytes | None:
    """Read a hash from a text.

    Raises:
        ValueError: If it is none.
    """
    if text is None:
        return None
    contents = bytes.fromhex(text)
    if contents.hex() != text or len(contents) not in (0, _SIZE):
        raise ValueError(f"{text!r:.40} is no hash")
    return contents
