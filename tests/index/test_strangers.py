"""Indexes of strangers: whatever their files say, with every checksum put right, only lir's own errors come of it."""

import copy
import hashlib
import io
import json
import os
import shutil
import zipfile
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_index import Index, PartWriter, build
from lir_index.errors import DamagedIndexError, IndexVersionError, LirIndexError
from lir_index.integrity import describe
from lir_index.ownership import remove_segment

from .cases import CASES

# What of Faiss' and Seismic's own files is wrong, their native code would have to find. Checksums protect them.
NATIVE = (".faiss", ".seismic")

VECTORS = np.random.default_rng(0).integers(0, 4, (12, 4)).astype(np.float32)
VECTORS[:, 0] += 1
IDS = [f"d{i}" for i in range(12)]

DEEP = "[" * 100_000
NASTY = [
    *(None, True, False, -1, 0, 1, 3, 2**31, 2**47, 2**63, 2**64, -(2**63), 10**100),
    *(0.0, 1.5, -1e300, 1e300, float("nan"), float("inf")),
    *("", "x", ".", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "a\0b", "\ud800", "é" * 300),
    *([], [[]], [1], ["x"], [None], {}, {"a": 1}, {"": {}}, [{}], {"bytes": 1}),
]


@pytest.fixture(scope="module", params=list(CASES))
def case(request):
    pytest.importorskip(CASES[request.param].needs)
    return request.param


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Gives the folder of an index of a case, with a segment that was added and a document that was deleted."""

    @cache
    def make(name, dim=4, count=12):
        case, folder = CASES[name], tmp_path_factory.mktemp("sound")
        vectors = np.pad(VECTORS[:count], ((0, 0), (0, dim - 4)))
        with PartWriter(folder / "parts") as writer:
            writer.append(IDS[: count - 3], case.shape(vectors[:-3]))
        index = build(folder / "parts", folder / "index", case.config())
        index.add(IDS[count - 3 : count], case.shape(vectors[-3:]))
        index.delete(["d1"])
        return index.path

    return make


@pytest.fixture
def index(tmp_path, sound):
    shutil.copytree(sound("torch-dense"), tmp_path / "index")
    return tmp_path / "index"


def put_right(folder, values=None):
    """Give every file, and index.json, the size and the checksum that it has now."""
    values = json.loads((folder / "index.json").read_text()) if values is None else values
    if isinstance(values, dict):
        for told, path in described_files(folder, values):
            if isinstance(told, dict) and os.path.isfile(path):  # noqa: PTH113 - which raises nothing
                told.update(describe(path))
        values = {name: value for name, value in values.items() if name not in ("format", "checksum")}
        checksum = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        values = {"format": "lir-index", **values, "checksum": checksum}
    (folder / "index.json").write_text(json.dumps(values))


def described_files(folder, values):
    segments = values.get("segments")
    for segment in segments if isinstance(segments, list) else []:
        if isinstance(segment, dict) and isinstance(segment.get("files"), dict):
            for name, told in segment["files"].items():
                if isinstance(segment.get("folder"), str):
                    yield told, folder / segment["folder"] / name
    if isinstance(values.get("deleted"), dict) and values["deleted"].get("file") == "deleted-3.npy":
        yield values["deleted"], folder / "deleted-3.npy"


def use(folder, name):
    """Everything that a reader does. Whatever is wrong, it is said by an error of lir."""
    case = CASES[name]
    try:
        index = Index.open(folder, case.search_config(**case.search))
        for queries, k in ((VECTORS[:2], 3), (VECTORS[2:4], 12)):
            index.search(case.shape(queries), k)
            index.search(case.shape(queries), k, allowed=["d0", "d2", "d9", "d11"])
        list(index.doc_ids)
        index.verify()
    except LirIndexError as error:
        return error
    return None


def places(values, place=()):
    """Where every value of some JSON is."""
    yield place
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in inner:
        yield from places(value, (*place, key))


@st.composite
def changed_json(draw, values):
    """Some JSON in which values were exchanged, taken away or added."""
    values, nasty = copy.deepcopy(values), st.sampled_from(NASTY).map(copy.deepcopy)
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from(list(places(values))))
        if not place:
            return draw(nasty)
        holder = values
        for key in place[:-1]:
            holder = holder[key]
        action = draw(st.sampled_from(["exchange", "exchange", "exchange", "remove", "add", "rename"]))
        if action == "exchange":
            holder[place[-1]] = draw(nasty)
        elif action == "remove":
            del holder[place[-1]]
        elif isinstance(holder, dict):
            new = draw(st.sampled_from([value for value in NASTY if isinstance(value, str)]))
            holder[new] = holder.pop(place[-1]) if action == "rename" else draw(nasty)
    return values


@st.composite
def changed_bytes(draw, content):
    action = draw(st.sampled_from(["flip", "cut", "grow", "random"]))
    if action == "random" or not content:
        return draw(st.binary(max_size=64))
    place = draw(st.integers(0, len(content) - 1))
    if action == "flip":
        return content[:place] + bytes([content[place] ^ draw(st.integers(1, 255))]) + content[place + 1 :]
    return content[:place] if action == "cut" else content + content[place:]


@st.composite
def changed_array(draw, content):
    array = np.load(io.BytesIO(content))
    action = draw(st.sampled_from(["values", "values", "values", "type", "shape", "header", "pickle", "zip", "order"]))
    if action == "header":
        shape = draw(st.sampled_from(["(-1,)", "(10**18,)", "(1,)*40", "(2**62, 2**62)", "(" * 300, "()", "('a',)"]))
        descr = draw(st.sampled_from([array.dtype.str, "|O", ">i8", "<U8", "<f2", "V8", "nonsense"]))
        text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array.tobytes()
    if action == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("vectors.npy", content)
        return file.getvalue()
    if action == "values" and array.size:
        extremes = [0, 1, -1, 5, 127, 2**31 - 1, -(2**31), 2**40, 2**62, -(2**63), 2**63 - 1]
        if array.dtype.kind == "f":
            extremes = [0.0, -1.0, 1e30, -3e38, 1e-45, np.nan, np.inf, -np.inf]
        for _ in range(draw(st.integers(1, 3))):
            value = np.array(draw(st.sampled_from(extremes)))
            with np.errstate(all="ignore"):
                array.reshape(-1)[draw(st.integers(0, array.size - 1))] = value.astype(array.dtype)
    elif action == "type":
        with np.errstate(all="ignore"):
            array = array.astype(draw(st.sampled_from(["f4", "f8", "i4", "i8", ">i4", "u1", "U3", "c8", "?"])))
    elif action == "shape":
        array = array[: draw(st.integers(0, len(array)))]
        array = array.reshape(draw(st.sampled_from([(-1, 1), (1, -1), (-1,)]))) if array.size else array
    elif action == "pickle":
        array = array.astype(object)
    elif action == "order":
        array = np.asfortranarray(array[::-1])
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def changed(path):
    content = path.read_bytes()
    if path.suffix == ".npy":
        return st.one_of(changed_array(content), changed_bytes(content))
    if path.suffix == ".json":
        texts = changed_json(json.loads(content)).map(lambda values: json.dumps(values).encode())
        return st.one_of(texts, changed_bytes(content), st.sampled_from([DEEP.encode(), b"1" * 5000, b"{}"]))
    return changed_bytes(content)


# For each of the cases: in the profile "thorough", 4,200 examples in all.
repeatedly = settings(
    max_examples=settings().max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@repeatedly
@given(data=st.data())
def test_whatever_a_file_holds_only_errors_of_lir_come_of_it(case, sound, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("stranger") / "index"
    shutil.copytree(sound(case), folder)
    inner = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name.startswith("segment")]
    files = [path for path in (*inner, folder / "deleted-3.npy") if path.exists() and path.suffix not in NATIVE]
    for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=2, unique=True)):
        content = data.draw(changed(path))
        path.unlink()
        path.write_bytes(content)
    put_right(folder)
    use(folder, case)
    shutil.rmtree(folder)


@repeatedly
@given(data=st.data())
def test_whatever_the_manifest_says_only_errors_of_lir_come_of_it(case, sound, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("stranger") / "index"
    shutil.copytree(sound(case), folder)
    put_right(folder, data.draw(changed_json(json.loads((folder / "index.json").read_text()))))
    use(folder, case)
    shutil.rmtree(folder)


@settings(repeatedly, max_examples=10)
@given(data=st.data())
def test_whatever_else_lies_there_only_errors_of_lir_come_of_it(sound, tmp_path_factory, data):
    """Bytes that nobody put right, in every file, those of native code too."""
    name = data.draw(st.sampled_from(["faiss-flat", "faiss-ivfpq", "torch-dense"]))
    folder = tmp_path_factory.mktemp("stranger") / "index"
    shutil.copytree(sound(name), folder)
    path = data.draw(st.sampled_from(sorted(path for path in folder.rglob("*") if path.is_file())))
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(data.draw(changed_bytes(content)))
    error = use(folder, name)
    assert error is not None or path.name == "verified.json"
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["faiss-flat", "faiss-ivf", "faiss-pq", "faiss-hnsw", "faiss-sq"])
@pytest.mark.parametrize("arguments", [(5,), (4, 9)])
def test_a_file_of_faiss_of_other_vectors_is_damage(tmp_path, sound, name, arguments):
    folder = tmp_path / "index"
    shutil.copytree(sound(name), folder)
    shutil.copyfile(sound(name, *arguments) / "segment-1" / "index.faiss", folder / "segment-1/index.faiss")
    put_right(folder)
    with pytest.raises(DamagedIndexError, match=r"index\.faiss' is damaged: it does not hold 9 vectors of 4 dim"):
        Index.open(folder)


def edit(index, change):
    values = json.loads((index / "index.json").read_text())
    change(values)
    put_right(index, values)


@pytest.mark.parametrize("name", ["../Outside", "/tmp", "..", ".", "", "segment-1/../../Outside", "segment-x", 5, None])
def test_a_segment_elsewhere_is_not_read(index, name):
    shutil.copytree(index / "segment-1", index.parent / "Outside")
    edit(index, lambda values: values["segments"][0].update(folder=name))
    with pytest.raises(DamagedIndexError, match=r"index\.json' is damaged: segments\[0\]\.folder is ") as caught:
        Index.open(index)
    assert str(caught.value).endswith("not the name of a segment.")


@pytest.mark.parametrize("name", ["../segment-2/vectors.npy", "/etc/passwd", "..", ".", "", "a/b", "a\\b", "\x1b[2J"])
def test_a_file_elsewhere_is_not_read(index, name):
    edit(index, lambda values: values["segments"][0]["files"].update({name: {"bytes": 1, "sha256": "0" * 64}}))
    with pytest.raises(DamagedIndexError, match="is no name of a file"):
        Index.open(index)


@pytest.mark.parametrize("name", ["../deleted-1.npy", "/etc/passwd", "segment-1/vectors.npy", "deleted-x.npy", 3])
def test_deletions_elsewhere_are_not_read(index, name):
    edit(index, lambda values: values["deleted"].update(file=name))
    with pytest.raises(DamagedIndexError, match=r"deleted\.file is .* not the name of such a file"):
        Index.open(index)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("similarity", "evil"),
        ("form", "evil"),
        ("query_aggregation", "evil"),
        ("doc_aggregation", None),
        ("dim", -1),
        ("dim", 4.0),
        ("dim", 10**30),
        ("num_docs", True),
        ("num_docs", "3"),
        ("segments", []),
        ("segments", {}),
        ("segments", [{}]),
        ("segments", [None]),
        ("deleted", {}),
        ("kind", ["torch-dense"]),
        ("model", 5),
        ("rule", [1]),
        ("parameters", None),
    ],
)
def test_a_value_that_means_nothing_is_damage(index, name, value):
    edit(index, lambda values: values.update({name: value}))
    with pytest.raises(DamagedIndexError, match=rf"'{index}/index\.json' is damaged: "):
        Index.open(index)


@pytest.mark.parametrize("similarity", ["dot", "l2"])
def test_a_form_or_a_similarity_of_another_kind_is_damage(tmp_path, sound, similarity):
    shutil.copytree(sound("sparse by numpy"), tmp_path / "index")
    form = "sparse" if similarity == "l2" else "dense"
    edit(tmp_path / "index", lambda values: values.update(similarity=similarity, form=form))
    with pytest.raises(
        DamagedIndexError, match=f"of the kind sparse does not hold {form} embeddings that are compared"
    ):
        Index.open(tmp_path / "index")


@pytest.mark.parametrize("name", ["kind", "segments", "deleted", "rule", "format_version"])
def test_a_missing_value_is_damage(index, name):
    edit(index, lambda values: values.pop(name))
    with pytest.raises((DamagedIndexError, IndexVersionError)):
        Index.open(index)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (DEEP, "nested too deeply"),
        ("{" * 10, "is no JSON"),
        (f'{{"format": "lir-index", "a": {"1" * 5000}}}', "is no JSON .*4300"),
        ('{"format": "lir-index", "a": NaN}', "NaN is no number"),
        (f'{{"format": "lir-index", "a": {"[" * 200}{"]" * 200}}}', "nested deeper than 64 levels"),
        ("\ufeff{}", "is no JSON"),
    ],
    ids=["deep", "open", "digits", "nan", "200 levels", "bom"],
)
def test_json_that_lir_would_not_write_is_damage(index, text, reason):
    (index / "index.json").write_text(text)
    with pytest.raises(DamagedIndexError, match=f"'{index}/index.json' is damaged: .*{reason}"):
        Index.open(index)


@pytest.mark.parametrize("name", ["index.json", "segment-1", "segment-1/vectors.npy", "deleted-3.npy"])
def test_a_link_out_of_the_folder_is_not_followed(index, name):
    shutil.move(index / name, index.parent / "outside")
    (index / name).symlink_to(index.parent / "outside")
    with pytest.raises(DamagedIndexError, match=f"'{index}/{name}' is (damaged: it is )?a link"):
        Index.open(index)


@pytest.mark.parametrize("name", ["index.json", "segment-1/vectors.npy"])
def test_of_a_pipe_nothing_is_awaited(index, name):
    (index / name).unlink()
    os.mkfifo(index / name)
    with pytest.raises(DamagedIndexError, match=r"it is something else, not a file"):
        Index.open(index)


def test_a_file_that_has_no_checksum_is_not_opened(tmp_path, sound):
    """Beside an index that keeps no vectors, a kind would take such a file for its own."""
    shutil.copytree(sound("faiss-pq"), tmp_path / "index")
    shutil.copyfile(sound("torch-dense") / "segment-1/vectors.npy", tmp_path / "index/segment-1/codes.npy")
    with pytest.raises(DamagedIndexError, match=r"segment-1/codes\.npy' does not belong to it"):
        Index.open(tmp_path / "index")


def test_what_was_found_sound_is_not_looked_at_again(index, monkeypatch):
    Index.open(index)
    monkeypatch.setattr("lir_index.dense.check_vectors", lambda *_: pytest.fail("looked at again"))
    Index.open(index)
    with pytest.raises(pytest.fail.Exception):
        Index.open(index).verify()


def test_a_checksum_that_is_right_does_not_make_values_right(index):
    vectors = np.load(index / "segment-1/vectors.npy")
    vectors[0, 0] = np.nan
    np.save(index / "segment-1/vectors.npy", vectors)
    put_right(index)
    with pytest.raises(DamagedIndexError, match=r"vectors\.npy' is damaged: it holds numbers that are not finite"):
        Index.open(index)
    # And it is said each time: nothing is noted of an index that was refused.
    with pytest.raises(DamagedIndexError):
        Index.open(index)


def test_parameters_of_another_kind_are_damage(index):
    edit(index, lambda values: values["parameters"].update(num_centroids=7))
    with pytest.raises(DamagedIndexError, match="an index of the kind torch-dense is not built with"):
        Index.open(index).add(["new"], VECTORS[:1])


def test_an_index_of_which_a_segment_has_gone_is_damaged(index):
    remove_segment(index / "segment-2")
    with pytest.raises(DamagedIndexError, match="segment-2' is missing"):
        Index.open(index)


def test_the_index_of_the_tests_is_sound(case, sound):
    assert use(sound(case), case) is None
