"""The lir command: train, index, search, re-rank and evaluate from a terminal."""

__all__: list[str] = []
