"""Retrieval models of lir: bi-encoders and cross-encoders that encode, score and rank."""

__all__: list[str] = []
