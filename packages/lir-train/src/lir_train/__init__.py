"""Losses, Lightning modules and the trainer of lir."""

__all__: list[str] = []
