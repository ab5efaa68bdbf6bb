"""A configuration of someone else runs no code: it names objects where they are wanted, of kinds that are wanted, and no others."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_cli.errors import SettingsError, is_ours
from lir_cli.pipeline import Pipeline
from lir_cli.settings import apply_overrides, merge, read_yaml

Lir = Callable[..., Any]

BASE = """
trainer: {max_steps: 1}
model:
  class_path: BiEncoderModule
  init_args:
    model_name_or_path: ./nowhere
    loss_functions: [{class_path: RankNet}]
data: {train_dataset: {class_path: TupleDataset, init_args: {tuples_dataset: triples.tsv}}}
optimizer: {class_path: AdamW, init_args: {lr: 0.001}}
lr_scheduler: {class_path: LinearLR}
"""

# Where a value can stand: a dotted key, and what stands around it there.
POSITIONS: dict[str, tuple[str, str]] = {
    "the callbacks": ("trainer.callbacks", "%s"),
    "a callback": ("trainer.callbacks", "[%s]"),
    "an appended callback": ("trainer.callbacks+", "%s"),
    "a folder of a callback": ("trainer.callbacks", "[{class_path: ModelCheckpoint, init_args: {dirpath: %s}}]"),
    "an index's config": ("trainer.callbacks", "[{class_path: IndexCallback, init_args: {index_dir: i, index_config: %s}}]"),
    "a search's config": ("trainer.callbacks", "[{class_path: SearchCallback, init_args: {index_dir: i, search_config: %s}}]"),
    "a function": ("trainer.callbacks", "[{class_path: SearchCallback, init_args: {index_dir: i, aggregate: %s}}]"),
    "the folder of an index": ("trainer.callbacks", "[{class_path: IndexCallback, init_args: {index_dir: %s}}]"),
    "the logger": ("trainer.logger", "%s"),
    "loggers": ("trainer.logger", "[%s]"),
    "what a logger passes on": ("trainer.logger", "{class_path: WandbLogger, init_args: {save_dir: x, anything: %s}}"),
    "an experiment": ("trainer.logger", "{class_path: WandbLogger, init_args: {experiment: %s}}"),
    "the strategy": ("trainer.strategy", "%s"),
    "what is inside of a strategy": (
        "trainer.strategy",
        "{class_path: lightning.pytorch.strategies.DDPStrategy, init_args: {ddp_comm_hook: %s}}",
    ),
    "a plugin of a strategy": (
        "trainer.strategy",
        "{class_path: lightning.pytorch.strategies.DDPStrategy, init_args: {cluster_environment: %s}}",
    ),
    "the accelerator": ("trainer.accelerator", "%s"),
    "the profiler": ("trainer.profiler", "%s"),
    "plugins": ("trainer.plugins", "[%s]"),
    "a number": ("trainer.max_steps", "%s"),
    "a duration": ("trainer.max_time", "%s"),
    "a folder": ("trainer.default_root_dir", "%s"),
    "the model": ("model", "%s"),
    "a model's name": ("model.init_args.model_name_or_path", "%s"),
    "a model in place of a name": ("model.init_args.model", "%s"),
    "a rule": ("model.init_args.config", "%s"),
    "a text of a rule": ("model.init_args.config", "{class_path: ColConfig, init_args: {query_prompt: %s}}"),
    "a layer of a rule": ("model.init_args.config", "{class_path: ColConfig, init_args: {projection: [%s]}}"),
    "a loss": ("model.init_args.loss_functions", "[%s]"),
    "a loss with a weight": ("model.init_args.loss_functions", "[[%s, 0.5]]"),
    "a weight": ("model.init_args.loss_functions", "[{class_path: RankNet, weight: %s}]"),
    "a loss in a loss": ("model.init_args.loss_functions", "[{class_path: Matryoshka, init_args: {dims: [8], loss: %s}}]"),
    "a guide": ("model.init_args.loss_functions", "[{class_path: GuidedInBatchCrossEntropy, init_args: {guide: %s}}]"),
    "a measure": ("model.init_args.evaluation_metrics", "[%s]"),
    "an adapter": ("model.init_args.adapter", "%s"),
    "what is inside of an adapter": ("model.init_args.adapter", "{r: 8, target_modules: %s}"),
    "what a model is loaded with": ("model.init_args.model_kwargs", "{dtype: %s}"),
    "data": ("data", "%s"),
    "the data's module": ("data.init_args.module", "%s"),
    "what is trained on": ("data.init_args.train_dataset", "%s"),
    "a file of tuples": ("data.init_args.train_dataset.init_args.tuples_dataset", "%s"),
    "what is mixed": ("data.init_args.train_dataset", "{class_path: MixedDataset, init_args: {datasets: [%s]}}"),
    "what is validated with": ("data.init_args.inference_datasets", "[%s]"),
    "the optimizer": ("optimizer", "%s"),
    "a rate": ("optimizer.init_args.lr", "%s"),
    "an option of a group": ("optimizer.groups", "[{pattern: a, options: {lr: %s}}]"),
    "a pattern of a group": ("optimizer.groups", "[{pattern: %s, options: {lr: 1}}]"),
    "the scheduler": ("lr_scheduler", "%s"),
    "a function of a scheduler": ("lr_scheduler", "{class_path: LambdaLR, init_args: {lr_lambda: %s}}"),
    "functions of a scheduler": ("lr_scheduler", "{class_path: LambdaLR, init_args: {lr_lambda: [%s]}}"),
    "the seed": ("seed_everything", "%s"),
    "documents": ("datasets.mine", "{docs: %s}"),
}  # fmt: skip

ATTACKS: list[tuple[str, dict[str, Any]]] = [
    ("subprocess.Popen", {"args": "touch witness", "shell": True}),
    ("subprocess.run", {"args": "touch witness", "shell": True}),
    ("os.system", {"command": "touch witness"}),
    ("torch.os.system", {"command": "touch witness"}),
    ("lightning.pytorch.trainer.trainer.os.system", {"command": "touch witness"}),
    ("builtins.eval", {"source": "open('witness', 'w')"}),
    ("builtins.open", {"file": "witness", "mode": "w"}),
    ("pathlib.Path", {}),
    ("logging.FileHandler", {"filename": "witness"}),
    ("importlib.import_module", {"name": "stranger"}),
    ("torch.hub.load", {"repo_or_dir": ".", "model": "stranger", "source": "local"}),
    ("stranger.Thing", {}),
    ("stranger.AsCallback", {}),
    ("lir_stranger.Thing", {}),
    ("lightning.pytorch.callbacks.LambdaCallback", {"setup": "os.system"}),
]

STRANGER = """
from pathlib import Path
Path("witness").touch()
class Thing:
    def __init__(self, *args, **kwargs):
        Path("made").touch()
from lightning import Callback
class AsCallback(Callback, Thing): ...
"""


@pytest.fixture
def folder(collection: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a stranger, from which Python imports too; its modules leave a witness."""
    for name in ("stranger", "lir_stranger"):
        Path(f"{name}.py").write_text(STRANGER)
    Path("base.yaml").write_text(BASE)
    monkeypatch.syspath_prepend(str(collection))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return collection


def nothing_ran() -> bool:
    """Whether no code of the stranger was run, and nothing that its configuration asked for."""
    return not (Path("witness").exists() or Path("made").exists() or {"stranger", "lir_stranger"} & set(sys.modules))


def plan(*overrides: str) -> None:
    """Plan a training; its model does not exist, so it ends there at the latest."""
    Pipeline(apply_overrides(read_yaml(["base.yaml"]), overrides), "fit")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("position", POSITIONS)
def test_no_position_of_a_configuration_runs_a_command(position: str) -> None:
    key, around = POSITIONS[position]
    for name, arguments in ATTACKS:
        value = around % json.dumps({"class_path": name, "init_args": arguments})
        with pytest.raises(SettingsError):
            plan(f"--{key}", value)
        assert nothing_ran(), name


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("position", POSITIONS)
def test_the_name_of_a_class_alone_runs_nothing(position: str) -> None:
    key, around = POSITIONS[position]
    for name, _ in ATTACKS:
        with pytest.raises(Exception) as told:  # noqa: PT011 - where a text is wanted, it is a file that is missing
            plan(f"--{key}", around % json.dumps(name))
        assert is_ours(told.value), told.value
        assert nothing_ran(), name


def values(inner: Any) -> Any:
    """Lists, mappings and objects around a value."""
    names = st.sampled_from([name for name, _ in ATTACKS] + ["ModelCheckpoint", "RankNet", "ColConfig", "AdamW"])
    keys = st.sampled_from(["class_path", "init_args", "args", "weight", "dirpath", "command", "0"])
    return st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(keys, inner, max_size=3),
        st.builds(lambda name, arguments: {"class_path": name, "init_args": arguments}, names, inner),
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    position=st.sampled_from(list(POSITIONS.values())),
    value=st.recursive(
        st.sampled_from(
            [*({"class_path": name, "init_args": arguments} for name, arguments in ATTACKS), "os.system", 1]
        ),
        values,
        max_leaves=4,
    ),
)
def test_whatever_is_nested_runs_nothing(folder: Path, position: tuple[str, str], value: Any) -> None:
    key, around = position
    with pytest.raises(Exception) as told:  # noqa: PT011 - the model is missing at the latest
        plan(f"--{key}", around % json.dumps(value))
    assert is_ours(told.value), told.value
    assert nothing_ran()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["train", "index", "search", "rerank"])
def test_a_command_says_in_one_sentence_what_it_does_not_import(lir: Lir, command: str) -> None:
    lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "idx")
    callback = {
        "train": "IndexCallback",
        "index": "IndexCallback",
        "search": "SearchCallback",
        "rerank": "ReRankCallback",
    }
    evil = json.dumps({"class_path": "subprocess.Popen", "init_args": {"args": "touch witness", "shell": True}})
    dataset = "{class_path: DocDataset, init_args: {doc_dataset: docs.tsv}}"
    if command == "rerank":
        files = "{run_path_or_id: first.trec, docs: docs.tsv, queries: queries.tsv}"
        dataset = f"{{class_path: RunDataset, init_args: {files}}}"
    Path("evil.yaml").write_text(
        f"trainer: {{max_steps: 1, callbacks: [{evil}, {{class_path: {callback[command]}, init_args: {{index_dir: idx}}}}]}}\n"
        f"model: {'TextModule' if command == 'search' else '{class_path: BiEncoderModule, init_args: {model_name_or_path: ./n}}'}\n"
        f"data: {{inference_datasets: [{dataset}]}}\n"
    )
    outputs = {"train": ["--output", "o"], "index": [], "search": ["--run", "o"], "rerank": ["--output", "o"]}
    told = lir(command, "--config", "evil.yaml", *outputs[command])
    assert "'subprocess.Popen' is not imported: a configuration names classes of lir, lightning" in told.err
    assert told.err.splitlines()[1:] == [
        "hint: --allow-imports subprocess allows another package, whose code you trust"
    ]
    assert (told.code, nothing_ran()) == (2, True)


@pytest.fixture
def allowed(folder: Path, lir: Lir) -> Any:
    """Train with the packages 'own' and 'stranger' allowed."""
    Path("own.py").write_text(
        "from lir_train import RankNet\nclass Own(RankNet):\n    def __init__(self, pair: RankNet | None = None): super().__init__()\n"
    )
    yield lambda *words: lir(
        "train",
        "--config",
        "base.yaml",
        "--output",
        "o",
        "--allow-imports",
        "own",
        "--allow-imports",
        "stranger",
        *words,
    )
    for name in ("own", "stranger"):
        sys.modules.pop(name, None)


def test_a_package_that_is_allowed_may_be_named(allowed: Any) -> None:
    told = allowed("--model.loss_functions", "[own.Own, {class_path: own.Own, init_args: {pair: own.Own}}]")
    assert "There is no folder './nowhere'." in told.err


def test_what_is_allowed_must_still_be_of_the_kind(allowed: Any) -> None:
    told = allowed("--model.loss_functions", "[stranger.Thing]")
    assert "loss_functions.0 is a Thing; it must be LossFunction or tuple." in told.err
    assert not Path("made").exists()


def test_an_allowance_ends_with_the_command(lir: Lir, allowed: Any) -> None:
    allowed()
    told = lir("train", "--config", "base.yaml", "--output", "o", "--model.loss_functions", "[own.Own]")
    assert "'own.Own' is not imported" in told.err


@pytest.mark.usefixtures("folder")
def test_a_file_does_not_allow_a_models_own_code() -> None:
    Path("remote.yaml").write_text("model: {init_args: {model_kwargs: {trust_remote_code: true}}}")
    with pytest.raises(SettingsError, match="trust_remote_code runs Python code that comes with a model") as told:
        read_yaml(["base.yaml", "remote.yaml"])
    assert told.value.hint == "--model.model_kwargs.trust_remote_code true, on the command line, does"
    with pytest.raises(Exception, match=r"There is no folder './nowhere'"):
        plan("--model.model_kwargs.trust_remote_code", "true")


HEAVY = {
    "aliases of aliases": (
        "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else '1'] * 9)}]\n" for n in range(12)),
        "has more than 100,000 values, its aliases spelled out.",
    ),
    "an alias inside of itself": ("trainer: &a {b: [*a]}", "has an alias that is inside of itself."),
    "brackets": (f"trainer: {'[' * 20_000}", "is nested more than 100 levels deep."),
    "keys in keys": ("trainer: " + "{a: " * 200 + "1" + "}" * 200, "is nested more than 100 levels deep."),
    "a number without an end": (f"trainer: {{max_steps: {'9' * 5_000}}}", "is no YAML"),
    "an object of Python": ("trainer: !!python/object/apply:os.system ['touch witness']", "is no YAML"),
    "a day that is none": ("trainer: {max_time: 2001-99-99}", "is no YAML"),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("heavy", HEAVY)
def test_what_would_fill_the_memory_is_refused_in_a_sentence(heavy: str) -> None:
    text, message = HEAVY[heavy]
    Path("heavy.yaml").write_text(text)
    with pytest.raises(SettingsError) as told:
        read_yaml(["heavy.yaml"])
    assert str(told.value).startswith("'heavy.yaml' ")
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert nothing_ran()


def test_an_override_is_read_as_carefully_as_a_file() -> None:
    for words, message in (
        (["--trainer.x", "[" * 20_000], "100 levels"),
        ([f"--trainer{'.a' * 2_000}", "1"], "100 levels"),
    ):
        with pytest.raises(SettingsError, match=message):
            apply_overrides({}, words)


def test_merging_keeps_what_is_plain() -> None:
    assert merge({"a": [1], "b": {"c": 1}}, {"a+": 2, "b": {"d+": [3]}}) == {"a": [1, 2], "b": {"c": 1, "d": [3]}}
