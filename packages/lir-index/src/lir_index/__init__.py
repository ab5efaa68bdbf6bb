"""Indexes of lir: built from the embeddings of any encoder, searched exactly or fast, safe on disk."""

__all__: list[str] = []
