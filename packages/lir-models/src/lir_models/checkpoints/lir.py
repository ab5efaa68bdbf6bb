"""lir's own file, ``lir.json``: the whole rule, beside files that other tools read."""

from pathlib import Path

from torch import Tensor

from lir_models.checkpoints.files import read_json, read_weights, write_json
from lir_models.config import BiEncoderConfig, CrossEncoderConfig, Recognised
from lir_models.errors import CheckpointError, ConfigError
from lir_models.families import dpr, mono

FILE = "lir.json"
FORMAT_VERSION = 1

# A family is known once its file is read.
FAMILIES = (dpr.DprConfig, mono.MonoConfig)

_CONFIGS = {"bi-encoder": BiEncoderConfig, "cross-encoder": CrossEncoderConfig}


def detect(folder: Path) -> bool:
    """Whether lir wrote this folder."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Recognised:
    """Read kind and config."""
    values = read_json(folder / FILE)
    version = values.get("format_version") if isinstance(values, dict) else None
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"'{folder / FILE}' has format version {version!r}; this lir-models reads version {FORMAT_VERSION}. "
            "A newer lir-models may read it."
        )
    try:
        kind = values["kind"]
        return kind, _CONFIGS[kind].from_json(values["config"])
    except (KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(f"'{folder / FILE}' is damaged: {error}") from error


def write(folder: Path, kind: str, config: BiEncoderConfig | CrossEncoderConfig) -> None:
    """Write kind and config."""
    write_json(folder / FILE, {"format_version": FORMAT_VERSION, "kind": kind, "config": config.to_json()})


def write_head_weights(folder: Path, heads: list[dict[str, Tensor]]) -> None:
    """Write the weights of the dense layers, one folder each."""
    from safetensors.torch import save_file

    for index, weights in enumerate(heads, start=1):
        place = folder / f"{index}_Dense"
        place.mkdir()
        save_file(weights, place / "model.safetensors")


def read_head_weights(folder: Path) -> list[dict[str, Tensor]]:
    """Read what `write_head_weights` wrote."""
    places = sorted(folder.glob("*_Dense"), key=lambda place: int(place.name.partition("_")[0]))
    return [read_weights(place) for place in places]
