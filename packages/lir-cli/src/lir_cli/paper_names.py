"""What Lightning IR, the paper's framework, calls otherwise: its users' files name it."""

from collections.abc import Collection

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
_ARGUMENTS = {
    "save_dir": ("run_path",),
    "pooling_strategy": ("query_pooling_strategy", "doc_pooling_strategy"),
    "aggregation_function": ("query_aggregation_function", "doc_aggregation_function"),
    "mask_scoring_tokens": ("query_mask_scoring_tokens", "doc_mask_scoring_tokens"),
    "normalization": ("normalization_strategy",),
    "normalize": ("normalization_strategy",),
    "sparsification": ("sparsification_strategy",),
    "adapter_config": ("adapter",),
    "use_adapter": ("adapter",),
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


def renamed_argument(name: object, allowed: Collection[str]) -> str:
    """Return a sentence that says what an argument of Lightning IR is among those allowed, or nothing."""
    here = [f"'{other}'" for other in _ARGUMENTS.get(str(name), ()) if other in allowed]
    return f" Did you mean {' and '.join(here)}?" if here else ""
