"""Documents, queries, tuples, runs and evaluation of lir; no torch."""

__all__: list[str] = []
