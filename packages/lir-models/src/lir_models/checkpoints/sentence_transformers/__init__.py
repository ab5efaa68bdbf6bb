"""Folders of sentence-transformers, up to 5.3 and from 5.4 on; PyLate's are of the same layout.

A module is known by the last part of its class path, which both generations share. What is written has the old class
paths: every version reads those, and only new versions read the new.
"""

from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint
from lir_models.checkpoints.files import read_settings_if_there
from lir_models.checkpoints.sentence_transformers import cross_encoder, dense, multi_vector, pylate, sparse, static
from lir_models.checkpoints.sentence_transformers.modules import FILE, SETTINGS, read_chains
from lir_models.errors import CheckpointError


def detect(folder: Path) -> bool:
    """Whether the folder has a chain of modules."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Checkpoint:
    """Read kind and config from the chain of modules."""
    settings = read_settings_if_there(folder / SETTINGS)
    chains = read_chains(folder)
    model_type = settings.text("model_type")
    if model_type == "CrossEncoder":
        return cross_encoder.read(folder, chains["doc"], settings)
    for reader in (pylate, multi_vector, sparse, dense, static):
        if reader.detect(chains, settings):
            return reader.read(folder, chains, settings)
    names = {", ".join(module.name for module in chain) for chain in chains.values()}
    raise CheckpointError(
        f"'{folder}' is a sentence-transformers model of the modules {'; '.join(sorted(names))}; lir reads Transformer "
        "and Pooling, or StaticEmbedding, then any of Dense, LayerNorm and Normalize; Transformer and SpladePooling; "
        "SparseStaticEmbedding for queries; Transformer, Dense, MultiVectorMask and Normalize; and routers of these."
    )
