"""Classes that Lightning IR, the paper's framework, calls otherwise: its users' files name them."""

_CLASSES = {
    "RankCallback": "ReRankCallback",
    "SingleVectorBiEncoderConfig": "DprConfig",
    "MultiVectorBiEncoderConfig": "ColConfig",
    "ScoreBasedInBatchLossFunction": "ScoreBasedInBatchCrossEntropy",
    "LightningIRWandbLogger": "WandbLogger",
    "WarmupLRScheduler": "LinearLRSchedulerWithLinearWarmup",
}
_ELSEWHERE = {
    "RegisterLocalDatasetCallback": "The key 'datasets' of a configuration makes local files an id.",
    **dict.fromkeys(
        ("DprModel", "ColModel", "SpladeModel", "MvrModel"), "BiEncoderModule makes the model of a config."
    ),
    **dict.fromkeys(("MonoModel", "SetEncoderModel"), "CrossEncoderModule makes the model of a config."),
}


def renamed_class(name: str) -> str:
    """Return a sentence that says what a class of Lightning IR is here, or nothing."""
    return (
        f" {_ELSEWHERE[name]}"
        if name in _ELSEWHERE
        else f" Did you mean '{_CLASSES[name]}'?"
        if name in _CLASSES
        else ""
    )
