"""A folder of a stranger is read or refused in one sentence, whatever its files say, and nothing outside it is read."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_models import (
    BiEncoderConfig,
    BiEncoderModel,
    ColConfig,
    CrossEncoderModel,
    DenseLayer,
    LirModelsError,
    MonoConfig,
    NormLayer,
    SpladeConfig,
    detect,
    load_model,
    read_config,
)
from lir_models.errors import CheckpointError
from lir_models.static_backbone import StaticBackbone

GOLDEN = Path(__file__).parent / "golden"
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
DIGITS = "9" * 5000
DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def folders(tiny_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of several formats."""
    root = tmp_path_factory.mktemp("strangers")
    layers = (DenseLayer(in_features=32, out_features=8), NormLayer(norm="layer", features=8))
    bert, masked_lm = tiny_model("bert"), tiny_model("bert", "ForMaskedLM")
    models: dict[str, Any] = {
        "dense": BiEncoderModel.from_pretrained(bert, BiEncoderConfig(projection=layers)),
        "router": BiEncoderModel.from_pretrained(bert, BiEncoderConfig(shared_encoder=False, embedding_dim=8)),
        "splade": BiEncoderModel.from_pretrained(
            masked_lm, SpladeConfig(query_weighting="static", query_expansion=False)
        ),
        "pylate": BiEncoderModel.from_pretrained(bert, ColConfig(embedding_dim=8, normalization_strategy="l2")),
        "pooled": CrossEncoderModel.from_pretrained(bert, MonoConfig(pooling_strategy="bert_pool")),
        "classifier": CrossEncoderModel.from_pretrained(bert, MonoConfig(scoring_strategy="mono")),
        "causal": CrossEncoderModel.from_pretrained(tiny_model("llama", "ForCausalLM"), MonoConfig(answers=("blue",))),
    }
    found: dict[str, Path] = {}
    for name, model in models.items():
        model.save_pretrained(root / f"lir-{name}")
        found[f"lir-{name}"] = root / f"lir-{name}"
        # As sentence-transformers would have saved it.
        found[name] = shutil.copytree(root / f"lir-{name}", root / name)
        (root / name / "lir.json").unlink()
    for name in ("stanford-colbert", "lightning-ir-col", "lightning-ir-mono-rank"):
        found[name] = shutil.copytree(GOLDEN / name / "checkpoint", root / name)
    models["dense"].backbone.save_pretrained(root / "shards", max_shard_size="20KB")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bert / file, root / "shards")
    found["shards"] = root / "shards"
    (root / "model2vec").mkdir()
    shutil.copy(bert / "tokenizer.json", root / "model2vec")
    StaticBackbone(torch.randn(100, 8)).save_pretrained(root / "model2vec")
    (root / "model2vec" / "config.json").write_text('{"model_type": "model2vec", "normalize": true}')
    found["model2vec"] = root / "model2vec"
    BiEncoderModel.from_pretrained(root / "model2vec").save_pretrained(root / "static")
    (root / "static" / "lir.json").unlink()
    found["static"] = root / "static"
    with suppress(ImportError):
        import peft  # noqa: F401

        model = BiEncoderModel.from_pretrained(bert)
        model.add_adapter({"r": 2, "target_modules": "all-linear"})
        model.save_pretrained(root / "adapter")
        found["adapter"] = root / "adapter"
    return found


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the way to each value in a JSON file; of long lists and vocabularies the first few."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items)[:40]:
        yield from _places(item, (*path, key))


def _put(value: Any, path: tuple[Any, ...], new: Any, *, remove: bool = False) -> Any:
    """Return a JSON value with one place changed."""
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if remove and not rest:
        del copy[key]
    else:
        copy[key] = _put(copy[key], tuple(rest), new, remove=remove)
    return copy


# A text that no JSON value has, replaced by what json does not write.
RAW = {"@digits": DIGITS, "@deep": DEEP + "]" * 100_000, "@open": DEEP, "@nan": "NaN", "@infinite": "-Infinity"}
VALUES = st.one_of(
    st.sampled_from([*RAW, None, True, False, {}, [], "", "../outside", "../../outside/model.safetensors"]),
    st.sampled_from(["/etc/passwd", "C:\\windows", "a\\..\\b", "nul\0", "x" * 5000, "\ud800", "__main__", "os.system"]),
    st.sampled_from([-1, 0, 10**9, 10**30, 2**63, 1e308, 0.5, [[]], {"a": {"b": []}}, ["../x"], [1, "x", None]]),
    st.text(max_size=8),
    st.integers(),
)


@contextmanager
def changed(file: Path, text: str) -> Generator[None]:
    """Let a file have another text for a while."""
    before = file.read_bytes()
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        yield
    finally:
        file.write_bytes(before)


OPENED: list[str] = []
WATCHED: list[Path] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and WATCHED and isinstance(arguments[0], str | bytes | Path):
        OPENED.append(os.path.realpath(os.fsdecode(arguments[0])))


sys.addaudithook(_watch)

# Python, its packages, and what the system tells of itself.
_PYTHONS = {sys.prefix, sys.base_prefix, *filter(os.path.isdir, sys.path), str(Path(__file__).parents[2])}
ALLOWED = (*map(os.path.realpath, _PYTHONS), "/proc", "/sys", "/dev")


@contextmanager
def watched(folder: Path, *others: Path) -> Generator[None]:
    """Fail if anything is opened that is neither in the folder nor Python's."""
    OPENED.clear()
    WATCHED.append(folder)
    try:
        yield
    finally:
        WATCHED.clear()
    inside = tuple(os.path.realpath(path) for path in (folder, *others))
    outside = [path for path in OPENED if not path.startswith((*ALLOWED, *inside))]
    assert outside == []


def read(folder: Path) -> None:
    """Read a folder in all ways."""
    for way in (detect, read_config, load_model):
        with suppress(LirModelsError):
            way(folder)


@settings(
    max_examples=2000 if THOROUGH else 40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_no_word_of_a_file_does_more_than_be_refused(folders: dict[str, Path], data: st.DataObject) -> None:
    folder = folders[data.draw(st.sampled_from(sorted(folders)))]
    files = sorted(file for file in folder.rglob("*") if file.suffix == ".json" or file.name == "artifact.metadata")
    file = data.draw(st.sampled_from(files))
    values = json.loads(file.read_text(encoding="utf-8"))
    path = data.draw(st.sampled_from(list(_places(values))))
    new = data.draw(VALUES)
    text = json.dumps(_put(values, path, new, remove=data.draw(st.booleans())))
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    others = [folders["dense"].parent.parent] if folder.name == "adapter" else []
    with changed(file, text), watched(folder, *others):
        read(folder)


@settings(max_examples=200 if THOROUGH else 10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_of_a_file_does_more_than_be_refused(folders: dict[str, Path], data: st.DataObject) -> None:
    folder = folders[data.draw(st.sampled_from(sorted(folders)))]
    file = data.draw(st.sampled_from(sorted(file for file in folder.rglob("*") if file.is_file())))
    before = file.read_bytes()
    start = data.draw(st.integers(0, len(before)))
    try:
        file.write_bytes(
            before[:start] + data.draw(st.binary(max_size=8)) + before[start + data.draw(st.integers(0, 8)) :]
        )
        others = [folders["dense"].parent.parent] if folder.name == "adapter" else []
        with watched(folder, *others):
            read(folder)
    finally:
        file.write_bytes(before)


LEADING: list[tuple[str, str, tuple[Any, ...]]] = [
    ("dense", "modules.json", (2, "path")),
    ("router", "router_config.json", ("structure", "query", 0)),
    ("lir-router", "lir.json", ("folders", "encoder")),
    ("lir-router", "lir.json", ("folders", "query_encoder")),
    ("shards", "model.safetensors.index.json", ("weight_map", "embeddings.word_embeddings.weight")),
    ("adapter", "adapter_config.json", ("base_model_name_or_path",)),
]


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/outside", "..\\outside", "C:/outside"])
@pytest.mark.parametrize(("form", "file", "path"), LEADING)
def test_a_part_outside_the_folder_is_refused(
    folders: dict[str, Path], name: str, form: str, file: str, path: tuple[Any, ...]
) -> None:
    if form not in folders:
        pytest.skip("peft is not installed")
    values = json.loads((folders[form] / file).read_text())
    values = _put(values, path, name)
    if file == "router_config.json":
        values["types"][name] = values["types"].pop("query_0_Transformer")
    with changed(folders[form] / file, json.dumps(values)), pytest.raises(LirModelsError) as error:
        load_model(folders[form])
    assert "outside" in str(error.value)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json", "2_Dense/config.json"])
def test_a_link_that_leads_outside_is_refused(folders: dict[str, Path], tmp_path: Path, file: str) -> None:
    folder = shutil.copytree(folders["dense"], tmp_path / "model")
    shutil.move(folder / file, tmp_path / "outside")
    (folder / file).symlink_to(tmp_path / "outside")
    with pytest.raises(CheckpointError, match=r"is a link to '.*outside', outside the model's folder"):
        load_model(folder)


def test_a_folder_of_links_is_refused_where_they_lead_outside(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["dense"], tmp_path / "model")
    shutil.move(folder / "2_Dense", tmp_path / "outside")
    (folder / "2_Dense").symlink_to(tmp_path / "outside")
    with pytest.raises(CheckpointError, match="outside the model's folder"):
        load_model(folder)


def test_the_links_of_the_cache_of_the_hub_are_read(folders: dict[str, Path], tmp_path: Path) -> None:
    repository = tmp_path / "models--somebody--model"
    snapshot, blobs = repository / "snapshots" / "abcdef", repository / "blobs"
    blobs.mkdir(parents=True)
    for place, file in enumerate(sorted(file for file in folders["dense"].rglob("*") if file.is_file())):
        target = snapshot / file.relative_to(folders["dense"])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blobs / str(place))
        target.symlink_to(os.path.relpath(blobs / str(place), target.parent))
    model = load_model(snapshot)
    assert model.fingerprint == load_model(folders["dense"]).fingerprint
    # A link among them to somewhere else is none of the cache's.
    (tmp_path / "outside").write_text("{}")
    (snapshot / "modules.json").unlink()
    (snapshot / "modules.json").symlink_to(tmp_path / "outside")
    with pytest.raises(CheckpointError, match="outside the model's folder"):
        load_model(snapshot)


def test_a_folder_that_is_a_link_itself_is_read(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(folders["dense"])
    assert load_model(tmp_path / "mine").dim == 8


@pytest.mark.parametrize("text", [DEEP, f'{{"idx": {DIGITS}}}', "[1, 2", "\ud800", "{}", "3"])
def test_a_file_that_no_program_reads_is_named(folders: dict[str, Path], text: str) -> None:
    file = folders["dense"] / "modules.json"
    with changed(file, text), pytest.raises(CheckpointError, match=r"modules.json' is damaged: "):
        detect(folders["dense"])


def test_code_in_the_folder_is_not_run(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["shards"], tmp_path / "model")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'evil')!r}, 'w')")
    names = {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}
    for file in ("config.json", "tokenizer_config.json"):
        values = json.loads((folder / file).read_text())
        (folder / file).write_text(
            json.dumps({**values, "auto_map": names, "model_type": "evil", "tokenizer_class": "Evil"})
        )
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_model(folder)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(("key", "value"), [("num_hidden_layers", 10**6), ("max_position_embeddings", 10**12)])
def test_more_than_any_model_has_is_not_built(folders: dict[str, Path], key: str, value: int) -> None:
    file = folders["dense"] / "config.json"
    text = json.dumps({**json.loads(file.read_text()), key: value})
    with (
        changed(file, text),
        pytest.raises(CheckpointError, match=f"config.json' has {key} {value}; lir takes at most"),
    ):
        load_model(folders["dense"])
