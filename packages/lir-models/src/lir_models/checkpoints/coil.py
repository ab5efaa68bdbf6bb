"""COIL as its authors save it, layers in ``model.pt``; uniCOIL as Pyserini reads it, all in one file."""

from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import read_tensors, read_weights, weight_names
from lir_models.families.coil import CoilConfig, UniCoilConfig
from lir_models.fields import Side

_COIL_FILE = "model.pt"
_COIL_NAMES = {"tok_proj.": "token_projection.", "cls_proj.": "cls_projection."}
_UNICOIL_LAYER = "coil_encoder.tok_proj."


def detect(folder: Path) -> bool:
    """Whether the layers of either are there."""
    if (folder / _COIL_FILE).is_file():
        return "tok_proj.weight" in read_tensors(folder / _COIL_FILE)
    return any(name.startswith(_UNICOIL_LAYER) for name in weight_names(folder))


def read(folder: Path) -> Checkpoint:
    """Read the widths of the layers."""
    if (folder / _COIL_FILE).is_file():
        heads = _coil_heads(folder, "doc")
        config = CoilConfig(
            token_embedding_dim=heads["token_projection.weight"].shape[0],
            cls_embedding_dim=heads["cls_projection.weight"].shape[0],
            projection="linear" if "token_projection.bias" in heads else "linear_no_bias",
        )
        return Checkpoint(kind="bi-encoder", config=config, folder=folder, heads=lambda side: _coil_heads(folder, side))
    # Pyserini gives [CLS] no weight.
    masked = ("[CLS]",)
    return Checkpoint(
        kind="bi-encoder",
        config=UniCoilConfig(
            query_length=128, doc_length=512, query_mask_scoring_tokens=masked, doc_mask_scoring_tokens=masked
        ),
        folder=folder,
        key_mapping={r"^coil_encoder\.bert\.": ""},
        heads=lambda side: _unicoil_heads(folder, side),
    )


def _coil_heads(folder: Path, side: Side) -> HeadWeights:
    del side
    found: HeadWeights = {}
    for name, tensor in read_tensors(folder / _COIL_FILE).items():
        for theirs, ours in _COIL_NAMES.items():
            if name.startswith(theirs):
                found[name.replace(theirs, ours)] = tensor
    return found


def _unicoil_heads(folder: Path, side: Side) -> HeadWeights:
    del side
    weights = read_weights(folder, lambda name: name.startswith(_UNICOIL_LAYER))
    return {name.replace(_UNICOIL_LAYER, "token_projection."): tensor for name, tensor in weights.items()}
