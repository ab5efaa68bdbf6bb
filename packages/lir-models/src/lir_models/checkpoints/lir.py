"""lir's own file, ``lir.json``: the whole rule, beside files that other tools read."""

from collections.abc import Mapping
from pathlib import Path, PurePath

from torch import Tensor

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import read_settings, read_tensors, write_json
from lir_models.checkpoints.safety import inside
from lir_models.config import BiEncoderConfig, CrossEncoderConfig
from lir_models.errors import CheckpointError, ConfigError
from lir_models.families import coil, col, dpr, mono, mvr, set_encoder, splade, static
from lir_models.fields import Side

FILE = "lir.json"
HEADS = {"doc": "lir_heads.safetensors", "query": "lir_query_heads.safetensors"}
STATIC_FOLDER = "query_0_SparseStaticEmbedding"
FORMAT_VERSION = 1

# A family is known once its file is read.
FAMILIES = (
    coil.CoilConfig,
    coil.UniCoilConfig,
    col.ColConfig,
    dpr.DprConfig,
    mono.MonoConfig,
    set_encoder.SetEncoderConfig,
    mvr.MvrConfig,
    splade.SpladeConfig,
    static.StaticConfig,
)

_CONFIGS = {"bi-encoder": BiEncoderConfig, "cross-encoder": CrossEncoderConfig}


def detect(folder: Path) -> bool:
    """Whether lir wrote this folder."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Checkpoint:
    """Read kind and config; the folder of another tool's form is found as that tool finds it."""
    values = read_settings(folder / FILE)
    version = values.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"'{folder / FILE}' has format version {version!r}; this lir-models reads version {FORMAT_VERSION}. "
            "A newer lir-models may read it."
        )
    kind = values.text("kind")
    if kind not in _CONFIGS:
        raise CheckpointError(
            f"'{folder / FILE}' is damaged: it is of the kind '{kind}'; there are {', '.join(_CONFIGS)}."
        )
    try:
        config = _CONFIGS[kind].from_json(values.inner("config"))
    except ConfigError as error:
        raise CheckpointError(f"'{folder / FILE}' is damaged: {error}") from error
    folders = values.inner("folders")
    return Checkpoint(
        kind=kind,  # pyright: ignore[reportArgumentType]
        config=config,
        folder=inside(folder, folders.text("encoder")),
        query_folder=inside(folder, folders.text("query_encoder")) if "query_encoder" in folders else None,
        heads=lambda side: read_heads(folder, side),
    )


def write(
    folder: Path,
    kind: str,
    config: BiEncoderConfig | CrossEncoderConfig,
    folders: Mapping[str, PurePath] | None = None,
) -> None:
    """Write kind and config, and in which folders encoders lie that do not lie in the folder itself."""
    values = {"format_version": FORMAT_VERSION, "kind": kind, "config": config.to_json()}
    places = {name: path.as_posix() for name, path in (folders or {}).items() if path != PurePath()}
    write_json(folder / FILE, values | ({"folders": places} if places else {}))


def write_heads(folder: Path, weights: dict[str, Tensor], side: Side) -> None:
    """Write the weights of one side's head."""
    from safetensors.torch import save_file

    save_file(weights, folder / HEADS[side])


def read_heads(folder: Path, side: Side) -> HeadWeights:
    """Read what `write_heads` wrote."""
    path = folder / HEADS[side]
    return read_tensors(path) if path.is_file() else {}
