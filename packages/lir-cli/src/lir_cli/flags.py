"""Flags as a configuration, so that flags and YAML take one way."""

from collections.abc import Mapping
from typing import Any

import click

from lir_cli.errors import SettingsError
from lir_cli.settings import Mapped, apply_overrides, check_overrides, read_yaml, short_name

# What each command works on, and does.
_DATASETS = {
    "index": ("DocDataset", "indexes"),
    "search": ("QueryDataset", "searches"),
    "rerank": ("RunDataset", "re-ranks"),
}


def start(ctx: click.Context, configs: tuple[str, ...]) -> Mapped:
    """Read the configuration; a mistyped flag is found before anything else, and so is a configuration of another command.

    Raises:
        SettingsError: If there is one.
    """
    overrides = check_overrides(ctx.args, _names(ctx))
    settings = read_yaml(configs)
    given = [ctx.params.get(name) for name in ("docs", "queries", "run_path")]
    if not any(given) and not any(path.startswith("data") for path, _ in overrides):
        _refuse_other_stage(str(ctx.command.name), settings)
    return settings


def _refuse_other_stage(command: str, settings: Mapped) -> None:
    """Refuse a configuration whose datasets are those of another command."""
    datasets = ((settings.get("data") or {}).get("init_args") or {}).get("inference_datasets")
    if command not in _DATASETS or not isinstance(datasets, list):
        return
    names = {short_name(item if isinstance(item, dict) else {"class_path": item}) for item in datasets}
    for other, (name, words) in _DATASETS.items():
        if other != command and names == {name}:
            raise SettingsError(
                f"This configuration {words}: of its inference_datasets each is a {name}, and lir {command} works on a "
                f"{_DATASETS[command][0]}.",
                hint=f"lir {other} --config ...",
            )


def _names(ctx: click.Context) -> list[str]:
    return [name for option in ctx.command.params for name in option.opts]


def model_settings(model: str | None, module: str, measures: tuple[str, ...] = ()) -> Mapped:
    """Return the settings that ``--model`` and ``-m`` mean."""
    arguments: Mapped = {} if model is None else {"model_name_or_path": model}
    if measures:
        arguments["evaluation_metrics"] = list(measures)
    if not arguments:
        return {}
    named = {} if model is None else {"class_path": module}
    return {"model": {**named, "init_args": arguments}}


def training_settings(
    settings: Mapped,
    train_data: str | None,
    queries: str | None,
    docs: str | None,
    losses: tuple[str, ...],
    batch_size: int | None,
) -> Mapped:
    """Return the settings that the flags of a training mean, and of what is needed and nobody said, the usual.

    Args:
        settings: Those of the configurations.
        train_data: Tuples.
        queries: What the ids of the tuples name.
        docs: What the ids of the tuples name.
        losses: Names of losses.
        batch_size: Queries of a batch.

    Raises:
        SettingsError: If a flag has nothing to be of, or a run is named in the place of tuples.
    """
    for flag, value in (("--queries", queries), ("--docs", docs)):
        if value is not None and train_data is None:
            raise SettingsError(f"{flag} says what the ids of --train-data name, which is missing.")
    module: Mapped = {}
    found: Mapped = {}
    if losses:
        module["loss_functions"] = [{"class_path": name} for name in losses]
    if train_data is not None:
        if train_data.endswith((".trec", ".run")):
            raise SettingsError(
                f"--train-data names tuples, and '{train_data}' is a run.",
                hint="lir mine makes tuples of a run; 'lir train --print-config nfcorpus-train' learns from one",
            )
        named = {"tuples_dataset": train_data, "queries": queries, "docs": docs}
        named = {name: value for name, value in named.items() if value is not None}
        found["train_dataset"] = {"class_path": "TupleDataset", "init_args": named}
    if batch_size is not None:
        found["train_batch_size"] = batch_size
    made: Mapped = {"data": {"class_path": "LightningIRDataModule", "init_args": found}} if found else {}
    if train_data is not None:
        made |= _usual_training(settings, module)
    elif module:
        made["model"] = {"init_args": module}
    return made


def _usual_training(settings: Mapped, module: Mapped) -> Mapped:
    """Say of the model what a training of tuples needs and no configuration says."""
    model = settings.get("model") or {}
    arguments = model.get("init_args") or {}
    name, usual = model.get("class_path"), "InBatchCrossEntropy"
    if name is None and "model_name_or_path" in arguments:
        from lir_models import detect

        name = "CrossEncoderModule" if detect(arguments["model_name_or_path"]) == "cross-encoder" else "BiEncoderModule"
    if str(name).endswith("CrossEncoderModule"):
        usual = "InfoNCE"
    if not arguments.get("loss_functions"):
        module = {"loss_functions": [{"class_path": usual}], **module}
    return {"model": {"class_path": name or "BiEncoderModule", "init_args": module}}


def with_an_end(settings: Mapped) -> Mapped:
    """Let a training last one epoch where nothing says how long it is."""
    trainer = settings.get("trainer") or {}
    ends = {"max_steps", "max_epochs", "max_time"} & set(trainer)
    return settings if ends else {**settings, "trainer": {**trainer, "max_epochs": 1}}


def data(dataset: Mapped | None, batch_size: int | None, num_workers: int | None) -> Mapped:
    """Return the settings that a dataset, ``--batch-size`` and ``--num-workers`` mean."""
    arguments: Mapped = {}
    if dataset is not None:
        arguments["inference_datasets"] = [dataset]
    if batch_size is not None:
        arguments["inference_batch_size"] = batch_size
    if num_workers is not None:
        arguments["num_workers"] = num_workers
    return {"data": {"class_path": "LightningIRDataModule", "init_args": arguments}} if arguments else {}


def windows(passage_length: int | None, passage_stride: int | None) -> Mapped:
    """Return a dataset's arguments that ``--passage-length`` and ``--passage-stride`` mean."""
    named = {"passage_length": passage_length, "passage_stride": passage_stride}
    return {name: value for name, value in named.items() if value is not None}


def callback(settings: Mapped, name: str, arguments: Mapped, needs: Mapping[str, str]) -> Mapped:
    """Put arguments into the settings' callback of a class, or add that callback.

    Args:
        settings: The settings.
        name: The class.
        arguments: What the flags say of it.
        needs: Its arguments that cannot be missing, and their flags.
    """
    trainer = dict(settings.get("trainer") or {})
    callbacks = trainer.get("callbacks") or []
    callbacks = list(callbacks) if isinstance(callbacks, list) else [callbacks]
    for place, item in enumerate(callbacks):
        if short_name(item) == name:
            callbacks[place] = {**item, "init_args": {**(item.get("init_args") or {}), **arguments}}
            break
    else:
        callbacks.append({"class_path": name, "init_args": arguments})
    settings = {**settings, "trainer": {**trainer, "callbacks": callbacks}}
    for argument, flag in needs.items():
        if argument not in callback_arguments(settings, name):
            raise SettingsError(f"{flag} is missing, or {argument} of the {name} in the configuration.")
    return settings


def callback_arguments(settings: Mapped, name: str) -> Mapped:
    """Return the arguments of the callback of a class, which is there."""
    return next(item["init_args"] for item in settings["trainer"]["callbacks"] if short_name(item) == name)


def with_overrides(ctx: click.Context, settings: Mapped) -> Mapped:
    """Apply ``--model.config …`` and the like."""
    return apply_overrides(settings, ctx.args, _names(ctx))


def finish(ctx: click.Context, settings: Mapped, stage: str, data_flag: str) -> Any:
    """Apply the overrides and make the pipeline."""
    for key, flag in (("model", "--model"), ("data", data_flag)):
        if key not in settings:
            raise SettingsError(f"{flag} is missing, or '{key}' in a configuration (--config).")
    settings = with_overrides(ctx, settings)
    from lir_cli.pipeline import Pipeline

    return Pipeline(settings, stage)


def refuse_unused(flags: Mapping[str, Any], why: str) -> None:
    """Refuse flags that would be ignored.

    Args:
        flags: What each was given; one that was not given is false or None.
        why: The rest of a sentence that begins with the flag.

    Raises:
        SettingsError: If one was given.
    """
    for flag, value in flags.items():
        if value not in (None, False, ()):
            raise SettingsError(f"{flag} {why}.")


def usual_measures(settings: Mapped, qrels: str | None, measures: tuple[str, ...]) -> tuple[str, ...]:
    """Return the measures of flags; nDCG@10, as `lir evaluate` has it, where judgements are named and no measure is."""
    configured = ((settings.get("model") or {}).get("init_args") or {}).get("evaluation_metrics")
    return measures or (() if qrels is None or configured else ("nDCG@10",))


def check_outcome(pipeline: Any, measures: tuple[str, ...], output_flag: str) -> None:
    """Refuse a search or re-ranking whose rankings are neither written nor measured, and read the judgements before it.

    Args:
        pipeline: With all settings.
        measures: Those that were asked for by a flag.
        output_flag: What names the run.

    Raises:
        SettingsError: If there are no judgements for the measures, or nothing would come of the rankings.
    """
    named = [*measures, *pipeline.evaluation_metrics]
    is_judged = bool(named) and any(dataset.qrels for dataset in pipeline.data.inference_datasets)
    if measures and not is_judged:
        raise SettingsError(f"-m {measures[0]} needs judgements: --qrels says where they are.")
    if pipeline.callback().run_path is None and not is_judged:
        raise SettingsError(f"{output_flag} is missing, and so are -m and --qrels: the rankings would be lost.")
