import hashlib
import json

import numpy as np
import pytest

from lir_index import FaissFlatIndexConfig, Index, SearchResult
from lir_index.errors import (
    ArgumentError,
    DamagedIndexError,
    ForeignIndexError,
    IndexVersionError,
    NoIndexError,
    UnknownKindError,
)
from lir_index.manifest import Manifest
from lir_index.metadata import Metadata


@pytest.fixture
def index(make_index):
    return make_index(["a", "b"], np.eye(2), FaissFlatIndexConfig(), model="m", fingerprint="f", documents="vaswani")


def edit(index, **values):
    path = index.path / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_manifest_is_readable(index):
    told = json.loads((index.path / "index.json").read_text())
    assert {name: told[name] for name in ("format", "format_version", "kind", "parameters", "dtype")} == {
        "format": "lir-index",
        "format_version": 3,
        "kind": "faiss-flat",
        "parameters": {"similarity": None, "truncate_dim": None},
        "dtype": "float32",
    }
    assert [segment["folder"] for segment in told["segments"]] == ["segment-1"]


def test_metadata_says_where_the_embeddings_come_from(index):
    assert index.metadata == {"model": "m", "fingerprint": "f", "documents": "vaswani", "rule": None}


def test_the_rule_of_the_encoder_is_kept_as_it_was_given(make_index):
    rule = {"family": "splade", "lengths": (32, 512), "head": {"scale": 0.5, "bias": None}}
    index = make_index(["a", "b"], np.eye(2), FaissFlatIndexConfig(), rule=rule)
    assert Index.open(index.path).metadata["rule"] == rule | {"lengths": [32, 512]}


@pytest.mark.parametrize("rule", ["splade", [1], {"a": object()}, {"a": float("nan")}])
def test_a_rule_that_is_no_json_object_is_refused(rule):
    with pytest.raises(ArgumentError, match="The rule of an encoder is a JSON object"):
        Metadata(rule=rule)


def test_an_index_of_version_2_is_opened_and_becomes_version_3_when_it_changes(index):
    path = index.path / "index.json"
    values = json.loads(path.read_text()) | {"format_version": 2}
    del values["format"], values["rule"], values["checksum"]
    checksum = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({"format": "lir-index", **values, "checksum": checksum}))
    old = Index.open(index.path)
    assert (old.info()["format_version"], old.metadata["rule"]) == (2, None)
    old.delete(["a"])
    assert (Index.open(index.path).info()["format_version"], list(old.doc_ids)) == (3, ["b"])


def test_repr_says_what_it_is(index):
    assert repr(index) == f"Index('{index.path}', kind='faiss-flat', num_docs=2, dim=2, similarity='dot')"


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_text(""), lambda path: None])
def test_a_folder_without_an_index_is_named(tmp_path, make):
    make(tmp_path / "idx")
    with pytest.raises(NoIndexError, match=f"There is no index in '{tmp_path}/idx': it has no index.json.") as caught:
        Index.open(tmp_path / "idx")
    assert caught.value.hint == "An interrupted 'lir index' goes on when you repeat the command."


@pytest.mark.parametrize("text", ['{"format": "other"}', "[1, 2]", "{}"])
def test_a_foreign_description_is_refused(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(ForeignIndexError, match=r"index.json' is not of lir"):
        Index.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"format": "lir-', b"\xff\xfe"])
def test_a_damaged_description_is_refused(tmp_path, content):
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(DamagedIndexError, match=r"index.json' (is damaged|cannot be read)"):
        Index.open(tmp_path)


def test_a_description_that_was_edited_is_refused(index):
    edit(index, similarity="l2")
    with pytest.raises(DamagedIndexError, match="it was changed after it was written"):
        Index.open(index.path)


def test_a_newer_format_is_refused_and_its_writer_named(index):
    edit(index, format_version=4, created_by="lir-index 9.0")
    with pytest.raises(IndexVersionError, match="has the format version 4, and this lir-index reads 2 and 3") as caught:
        Index.open(index.path)
    assert "lir-index 9.0" in caught.value.hint


def test_an_unknown_kind_is_named_with_the_nearest(index):
    values = {name: getattr(index.manifest, name) for name in Manifest.__dataclass_fields__}
    Manifest(**values | {"kind": "faiss-flot"}).write(index.path)
    with pytest.raises(UnknownKindError, match=r"There is no index kind 'faiss-flot'. Did you mean 'faiss-flat'?"):
        Index.open(index.path)


def test_files_of_another_index_do_not_fit(index, make_index):
    other = make_index(["a", "b", "c"], np.eye(3), FaissFlatIndexConfig())
    for name in ("doc_ids.bin", "doc_ids.ends.npy", "doc_ids.rank.npy", "index.faiss"):
        path = index.path / "segment-1" / name
        content = path.read_bytes()
        path.unlink()
        path.write_bytes((other.path / "segment-1" / name).read_bytes())
        with pytest.raises(DamagedIndexError, match=f"{name}' has"):
            Index.open(index.path)
        path.write_bytes(content)


def test_one_text_is_no_list_of_allowed_ids(index):
    with pytest.raises(ArgumentError, match="allowed is a list of document ids; this is the one text 'ab'"):
        index.search(np.eye(2), 1, allowed="ab")


def test_a_result_is_pairs_of_ids_and_scores(index):
    assert [(ids, scores.tolist()) for ids, scores in index.search(np.eye(2), 1)] == [(["a"], [1.0]), (["b"], [1.0])]


def test_a_result_becomes_a_run():
    result = SearchResult([["b", "a"], []], [np.array([2, 1], dtype=np.float32), np.array([], dtype=np.float32)])
    assert result.to_run(["1", "2"]) == {"1": {"b": 2.0, "a": 1.0}, "2": {}}
