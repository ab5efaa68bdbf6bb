"""``*ForSequenceClassification`` folders: cross-encoders with the head that transformers gives them.

Their activation, for ``predict``, stands where sentence-transformers below 5.4 put it, in config.json.
"""

from pathlib import Path

from lir_models.checkpoints.activations import activation_of
from lir_models.checkpoints.checkpoint import Checkpoint
from lir_models.checkpoints.files import Settings, read_settings, read_settings_if_there
from lir_models.errors import CheckpointError
from lir_models.families.mono import MonoConfig


def detect(folder: Path) -> bool:
    """Whether config.json names a sequence classifier."""
    architectures = read_settings_if_there(folder / "config.json").texts("architectures")
    return architectures[:1] != [] and architectures[0].endswith("ForSequenceClassification")


def read(folder: Path) -> Checkpoint:
    """Read the rule: labels from the head, activation from where a tool left it."""
    values = read_settings(folder / "config.json")
    labels = _labels(values)
    path = values.inner("sentence_transformers").text("activation_fn") or values.text(
        "sbert_ce_default_activation_function"
    )
    # Without a word on it, sentence-transformers takes the sigmoid of a single logit.
    activation = activation_of(path) if path else ("sigmoid" if len(labels) == 1 else "identity")
    if len(labels) > 2:
        config = MonoConfig(scoring_strategy="label", labels=labels, activation=activation)
    else:
        config = MonoConfig(scoring_strategy="rank" if len(labels) == 1 else "mono", activation=activation)
    return Checkpoint(kind="cross-encoder", config=config, folder=folder)


def _labels(values: Settings) -> tuple[str, ...]:
    """Name the labels as transformers does: two unless config.json says otherwise."""
    names = values.inner("id2label")
    if not names:
        return tuple(f"LABEL_{place}" for place in range(values.number("num_labels", 2)))
    try:
        places = sorted(names, key=int)
    except ValueError as error:
        raise CheckpointError(f"'{values.path}' has id2label {dict(names)!r}; its keys are numbers.") from error
    return tuple(names.text(place) for place in places)
