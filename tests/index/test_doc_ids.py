import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_index.doc_ids import DocIds, pack, unpack, write_doc_ids
from lir_index.errors import DocumentIdError

texts = st.text(min_size=1, max_size=30) | st.text("\0a/", min_size=1, max_size=20)
in_one_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder, doc_ids):
    write_doc_ids(folder, [doc_ids[: len(doc_ids) // 2], doc_ids[len(doc_ids) // 2 :]])
    return DocIds(folder)


@in_one_folder
@given(st.lists(texts.filter(lambda text: text.encode("utf-8", "ignore").decode() == text), min_size=1, unique=True))
def test_what_was_written_is_read(tmp_path, doc_ids):
    found = write(tmp_path, doc_ids)
    assert list(found) == doc_ids
    assert [doc_ids[i] for i in np.argsort(found.ranks)] == sorted(doc_ids)


@pytest.mark.parametrize("piece", ["", "é", "\n", "\0", "\r\n", "\U0001f600"])
def test_many_at_once_are_read_in_the_order_asked_for(tmp_path, piece):
    doc_ids = [f"{piece}{'x' * (i % 7)}{i}{piece}" for i in range(9000)]
    order = np.random.default_rng(0).permutation(9000)
    assert write(tmp_path, doc_ids).at(order) == [doc_ids[i] for i in order]


def test_long_common_beginnings_are_told_apart(tmp_path):
    doc_ids = [f"https://example.org/collection/{'x' * 50}/{i % 7}/{i}" for i in range(300)]
    ranks = write(tmp_path, doc_ids).ranks
    assert [doc_ids[i] for i in np.argsort(ranks)] == sorted(doc_ids)


def test_an_id_comes_before_those_that_begin_with_it(tmp_path):
    doc_ids = ["a\0\0", "a", "a\0", "a\0\0\0\0\0\0\0", "a\0\0\0\0\0\0\0\0"]
    assert write(tmp_path, doc_ids).ranks.tolist() == [2, 0, 1, 3, 4]


@pytest.mark.parametrize("twin", ["a", "doc 12", "é" * 40, "12345678"])
def test_a_duplicate_is_named_with_its_places(tmp_path, twin):
    doc_ids = ["doc 1", twin, "doc 2", "doc 22", twin + "x", twin]
    with pytest.raises(DocumentIdError, match=f"The document id '{twin}' occurs twice, as documents 2 and 6."):
        write(tmp_path, doc_ids)


@pytest.mark.parametrize("count", [40, 5000])
def test_positions_of_ids_are_found(tmp_path, count):
    # Few ids among many are looked up one by one; otherwise all are read once.
    doc_ids = [f"d{(i * 7919) % count}" for i in range(count)]
    found = write(tmp_path, doc_ids).positions(["d3", "d39", "d17", "unknown", "d3", ""])
    assert found.tolist() == sorted(doc_ids.index(doc_id) for doc_id in ("d3", "d39", "d17"))


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(DocumentIdError, match=r"The document id 'a\\ud800' is no valid unicode text."):
        pack(["a\ud800"])


@given(st.lists(texts.filter(lambda text: text.encode("utf-8", "ignore").decode() == text), min_size=1))
def test_unpack_undoes_pack(doc_ids):
    assert unpack(*pack(doc_ids)) == doc_ids


def test_ids_that_may_have_white_space_are_found(tmp_path):
    doc_ids = ["plain", "a b", "a\tb", "a\nb", "1#0", "a\u00a0b", "~", "\u4f60"]
    found = write(tmp_path, doc_ids)
    assert found.at(found.unusual()) == ["a b", "a\tb", "a\nb", "a\u00a0b", "\u4f60"]


def test_white_space_is_found_in_any_block(tmp_path, monkeypatch):
    monkeypatch.setattr("lir_index.doc_ids._SCANNED", 5)
    found = write(tmp_path, ["abcd", "e f", "ghijklm", "n o p q r s"])
    assert found.at(found.unusual()) == ["e f", "n o p q r s"]
