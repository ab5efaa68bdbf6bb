"""From the checkpoint of a training to the module that was trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_models import BiEncoderConfig, BiEncoderModel, CrossEncoderConfig, CrossEncoderModel
from lir_train.checkpoints import model_folder, read_checkpoint
from lir_train.errors import CheckpointError

# Under which a checkpoint says of what model it is.
_KEY = "lir_model"

_CONFIGS: dict[str, type[BiEncoderConfig] | type[CrossEncoderConfig]] = {
    "bi-encoder": BiEncoderConfig,
    "cross-encoder": CrossEncoderConfig,
}


def note_model(checkpoint: dict[str, Any], model: BiEncoderModel | CrossEncoderModel) -> None:
    """Note in a checkpoint, in plain values, what its model was made of."""
    kind = "cross-encoder" if isinstance(model, CrossEncoderModel) else "bi-encoder"
    checkpoint[_KEY] = {
        "kind": kind,
        "name": model.name,
        "config": model.config.to_json(),
        "has_adapter": model.has_adapter,
    }


def load_module(kind: type[Any], path: str | Path, options: Mapping[str, Any], *, strict: bool = True) -> Any:
    """Make a module, and give it the weights of a checkpoint; see `LightningIRModule.load_from_checkpoint`."""
    found = read_checkpoint(path)
    options = dict(options)
    if not {"model", "model_name_or_path"} & options.keys():
        options = _origin(path, found, kind.__name__) | options
    module = kind(**options)
    try:
        module.load_state_dict(found["state_dict"], strict=strict)
    except RuntimeError as error:
        name = options.get("model_name_or_path") or module.model.name
        reason = " ".join(str(error).split("\n")[1:2]).strip() or str(error)
        raise CheckpointError(f"'{path}' holds other weights than '{name}' has: {reason}") from error
    return module


def _origin(path: str | Path, found: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the arguments of the module that say which model it has."""
    folder = model_folder(path)
    if (folder / "lir.json").is_file():
        return {"model_name_or_path": str(folder)}
    told = found.get(_KEY)
    hint = f"{kind}.load_from_checkpoint('{path}', model_name_or_path=…) names the model that was trained"
    if not isinstance(told, Mapping) or told.get("kind") not in _CONFIGS or not isinstance(told.get("name"), str):
        raise CheckpointError(
            f"'{path}' does not say of which model it is, and the folder '{folder}' with that model is not there.",
            hint=hint,
        )
    if told["kind"] != ("cross-encoder" if "Cross" in kind else "bi-encoder"):
        raise CheckpointError(f"'{path}' is of a {told['kind']}, which a {kind} does not load.")
    if told.get("has_adapter"):
        raise CheckpointError(
            f"'{path}' is of a model with an adapter, whose settings lie in the folder '{folder}', which is not there."
        )
    return {"model_name_or_path": told["name"], "config": _CONFIGS[told["kind"]].from_json(told["config"])}
