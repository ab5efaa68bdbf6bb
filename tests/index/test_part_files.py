"""Parts of anybody: whatever their files say, what comes of it is a sentence, and nothing outside is read."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.sparse import csr_array

from lir_index import PartWriter
from lir_index.errors import LirIndexError, PartsError
from lir_index.part_files import _crc32
from lir_index.parts import Parts, are_left_over, find_done, is_kept, mark_kept

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)
IDS = ["a", "b", "cé", "d"]
FORMS = {
    "dense": VECTORS,
    "sparse": csr_array(VECTORS * (VECTORS % 2)),
    "multi-vector": (np.repeat(VECTORS, 2, axis=0), np.full(4, 2)),
    "coil": (VECTORS, VECTORS, np.arange(4), np.ones(4, dtype=np.int64)),
    "text": ["one", "zweié", "", "four"],
}
METADATA = {"model": "m", "similarity": "dot"}
PART = "rank-00000-part-000000.safetensors"
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["../../outside", "dot", "evil", "lir-parts", 10**30, -1]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=3,
)
PLACES = [
    (name, *path)
    for name, paths in {
        "parts.json": [
            (),
            ("format",),
            ("format_version",),
            ("world_size",),
            ("kept",),
            ("metadata",),
            *(("metadata", field) for field in ("model", "dim", "similarity", "form", "rule", "doc_aggregation", "x")),
        ],
        "rank-00000.json": [(), ("num_parts",), ("num_docs",), ("x",)],
    }.items()
    for path in paths
]
REPEATED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@pytest.fixture(params=list(FORMS))
def parts(request, tmp_path):
    with PartWriter(tmp_path / "parts", metadata=METADATA) as writer:
        writer.append(IDS, FORMS[request.param], [bytes([number]) * 16 for number in range(4)])
    return tmp_path / "parts"


def use(folder):
    """Do all that is done with parts; each step alone may refuse them, with a sentence."""
    refused = 0
    for step in (
        lambda: [list(batch.arrays) for _, batch in Parts(folder)],
        lambda: list(Parts(folder).doc_ids()),
        lambda: Parts(folder).num_vectors,
        lambda: find_done(folder, 0, 1),
        lambda: is_kept(folder),
        lambda: are_left_over(folder),
        lambda: PartWriter(folder, metadata=METADATA),
        lambda: mark_kept(folder),
    ):
        try:
            step()
        except LirIndexError:
            refused += 1
    return refused


def change_json(path, keys, value):
    values = json.loads(path.read_text())
    if not keys:
        values = value
    else:
        inner = values
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
    path.write_text(json.dumps(values))


@REPEATED
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_any_value_in_the_descriptions_is_taken_or_refused_in_a_sentence(tmp_path_factory, place, value):
    folder = tmp_path_factory.mktemp("some") / "parts"
    with PartWriter(folder, metadata={"model": "m"}) as writer:
        writer.append(IDS, VECTORS)
    change_json(folder / place[0], place[1:], value)
    use(folder)


@pytest.mark.parametrize("name", ["parts.json", "rank-00000.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b'{"num_parts": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json_object_is_refused_and_named(parts, name, content):
    (parts / name).write_bytes(content)
    with pytest.raises(PartsError, match=name):
        Parts(parts)
    use(parts)


@REPEATED
@given(data=st.data())
def test_any_bytes_in_a_part_are_taken_or_refused_in_a_sentence(parts, data):
    content = bytearray((parts / PART).read_bytes())
    copy = parts.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(parts, copy)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (copy / PART).write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    use(copy)


ARRAYS = st.one_of(
    st.sampled_from([np.float32, np.float16, np.int32, np.int64, np.uint8, np.bool_]).flatmap(
        lambda dtype: st.lists(st.integers(-3, 300), max_size=12).map(lambda values: np.array(values).astype(dtype))
    ),
    st.sampled_from([np.zeros((4, 3), np.float32), np.full((4, 3), np.nan, np.float32), np.zeros((2, 2, 2), np.int64)]),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=5).map(np.array),
)


@REPEATED
@given(data=st.data())
def test_any_arrays_in_a_part_are_taken_or_refused_though_their_checksum_is_right(parts, data):
    with safe_open(parts / PART, framework="numpy") as file:
        header, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    name = data.draw(st.sampled_from([*sorted(arrays), "another"]))
    arrays[name] = data.draw(ARRAYS)
    if data.draw(st.booleans()):
        header[data.draw(st.sampled_from(sorted(header)))] = data.draw(st.text(max_size=6) | st.just("4"))
    header["crc32"] = str(_crc32(arrays))
    copy = parts.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(parts, copy)
    save_file(arrays, copy / PART, metadata=header)
    use(copy)


def test_whole_parts_are_refused_by_nothing(parts):
    assert use(parts) == 0


@pytest.mark.parametrize("name", [PART, "rank-00000.json", "parts.json"])
def test_a_link_is_not_followed(parts, name):
    outside = parts.parent / "outside"
    (parts / name).rename(outside)
    (parts / name).symlink_to(outside)
    with pytest.raises(PartsError, match=f"{name}' is no file"):
        Parts(parts)


@pytest.mark.parametrize("dim", ["9" * 13, "-1", "3.0", "\uff12", ""])
def test_a_number_that_is_none_is_named(parts, dim):
    with safe_open(parts / PART, framework="numpy") as file:
        header, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(arrays, parts / PART, metadata=header | {"dim": dim})
    with pytest.raises(PartsError, match="is no number"):
        Parts(parts)
