import numpy as np
import pytest
import scipy.sparse

from lir_index import PartWriter
from lir_index.contents import NOTHING, extended
from lir_index.errors import DamagedPartsError, DocumentIdError, EmbeddingsError, PartsError
from lir_index.parts import Done, Parts, find_done, is_kept, mark_kept, num_docs_done
from lir_index.seen_ids import SeenIds

METADATA = {"model": "m", "fingerprint": "f", "documents": "vaswani", "similarity": "dot", "dim": 3}
VECTORS = np.arange(30, dtype=np.float32).reshape(10, 3)
IDS = [f"d{i}" for i in range(10)]
FORMS = {
    "dense": VECTORS,
    "sparse": scipy.sparse.csr_array(VECTORS * (VECTORS % 2)),
    "multi-vector": (np.repeat(VECTORS, 2, axis=0), np.full(10, 2)),
}


def write(folder, count=10, **arguments):
    with PartWriter(folder, **arguments) as writer:
        writer.append(IDS[:count], VECTORS[:count])


def read(folder):
    return [
        (doc_id, row.tolist()) for ids, batch in Parts(folder) for doc_id, row in zip(ids, batch.values, strict=True)
    ]


def part_files(folder):
    return sorted(path.name for path in folder.glob("*.safetensors"))


@pytest.mark.parametrize("form", list(FORMS))
def test_each_form_is_read_as_it_was_written(tmp_path, form):
    with PartWriter(tmp_path, max_bytes=100) as writer:
        writer.append(IDS, FORMS[form])
    parts = Parts(tmp_path)
    assert (parts.form, parts.dim, parts.num_docs) == (form, 3, 10)
    assert [doc_id for ids, _ in parts for doc_id in ids] == IDS
    values = np.concatenate([batch.values for _, batch in parts])
    expected = FORMS[form] if form == "dense" else FORMS[form].data if form == "sparse" else FORMS[form][0]
    assert np.array_equal(values, expected)


def test_half_precision_stays(tmp_path):
    with PartWriter(tmp_path) as writer:
        writer.append(IDS, VECTORS.astype(np.float16))
    assert next(iter(Parts(tmp_path)))[1].values.dtype == np.float16


def test_parts_are_bounded_however_much_comes_at_once(tmp_path):
    write(tmp_path, max_bytes=2 * VECTORS[0].nbytes)
    assert [len(ids) for ids, _ in Parts(tmp_path)] == [2] * 5


def test_little_batches_come_together_in_a_part(tmp_path):
    with PartWriter(tmp_path) as writer:
        for i in range(10):
            writer.append([IDS[i]], VECTORS[i : i + 1])
    assert len(part_files(tmp_path)) == 1


def test_ranks_are_read_one_after_another(tmp_path):
    for rank in (1, 0):
        with PartWriter(tmp_path, rank, 2) as writer:
            writer.append(IDS[rank::2], VECTORS[rank::2])
    assert [doc_id for doc_id, _ in read(tmp_path)] == IDS[0::2] + IDS[1::2]


def test_a_rank_without_documents_is_done_too(tmp_path):
    write(tmp_path, rank=0, world_size=2)
    write(tmp_path, rank=1, world_size=2, count=0)
    assert Parts(tmp_path).num_docs == 10


def test_an_interrupted_writer_goes_on_after_its_last_part(tmp_path):
    def interrupted():
        with PartWriter(tmp_path, metadata=METADATA) as writer:
            writer.append(IDS[:4], VECTORS[:4])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with PartWriter(tmp_path, metadata=METADATA) as writer:
        assert writer.num_docs == num_docs_done(tmp_path, 0, 1, METADATA) == 4
        writer.append(IDS[4:], VECTORS[4:])
    assert read(tmp_path) == list(zip(IDS, VECTORS.tolist(), strict=True))


def test_a_half_written_part_is_absent(tmp_path):
    writer = PartWriter(tmp_path)
    writer.append(IDS[:2], VECTORS[:2])
    writer.flush()
    (tmp_path / "rank-00000-part-000001.safetensors.99.tmp").write_bytes(b"half")
    assert PartWriter(tmp_path).num_docs == 2
    assert not list(tmp_path.glob("*.tmp"))


def test_nothing_is_done_in_a_folder_that_is_missing(tmp_path):
    assert num_docs_done(tmp_path / "missing", 0, 1) == 0


def test_parts_that_were_kept_are_not_gone_on_with(tmp_path):
    write(tmp_path, metadata=METADATA)
    assert num_docs_done(tmp_path, 0, 1) == 10
    mark_kept(tmp_path)
    assert (num_docs_done(tmp_path, 0, 1), is_kept(tmp_path)) == (0, True)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"fingerprint": "g", "model": "m"}, "with a model of the fingerprint 'f', this run has 'g'"),
        ({"documents": "cranfield"}, "with the documents 'vaswani', this run has 'cranfield'"),
        ({"dim": 4}, "with the dimension 3, this run has 4"),
    ],
)
def test_parts_of_another_run_are_refused(tmp_path, other, sentence):
    write(tmp_path, metadata=METADATA)
    with pytest.raises(PartsError, match=sentence) as caught:
        PartWriter(tmp_path, metadata=METADATA | other)
    assert caught.value.hint == f"Delete '{tmp_path}' to start afresh."


def test_the_same_model_may_go_by_another_name(tmp_path):
    write(tmp_path, metadata=METADATA)
    assert PartWriter(tmp_path, metadata=METADATA | {"model": "/abs/m"}).num_docs == 10


def test_another_number_of_processes_is_refused(tmp_path):
    write(tmp_path, world_size=2)
    with pytest.raises(PartsError, match="with the number of processes 2, this run has 1"):
        num_docs_done(tmp_path, 0, 1)


def test_unknown_metadata_is_refused(tmp_path):
    with pytest.raises(Exception, match=r"none is 'modle'. Did you mean 'model'"):
        PartWriter(tmp_path, metadata={"modle": "m"})


def test_an_unfinished_rank_is_named(tmp_path):
    write(tmp_path, rank=0, world_size=2)
    with pytest.raises(PartsError, match="rank 1 of 2 has not come to its end"):
        Parts(tmp_path)


def test_writing_again_makes_a_rank_unfinished(tmp_path):
    write(tmp_path)
    writer = PartWriter(tmp_path)
    writer.append(["e"], VECTORS[:1])
    writer.flush()
    with pytest.raises(PartsError, match="unfinished"):
        Parts(tmp_path)


def test_a_missing_part_is_noticed(tmp_path):
    write(tmp_path, max_bytes=1)
    (tmp_path / part_files(tmp_path)[3]).unlink()
    with pytest.raises(PartsError, match=r"part-000003.safetensors' is missing"):
        Parts(tmp_path)


def test_a_missing_last_part_is_noticed(tmp_path):
    write(tmp_path, max_bytes=1)
    (tmp_path / part_files(tmp_path)[-1]).unlink()
    with pytest.raises(PartsError, match=r"Parts of rank 0 are missing in .* it wrote 10"):
        Parts(tmp_path)


def test_a_flipped_bit_in_a_part_is_noticed(tmp_path):
    write(tmp_path)
    path = tmp_path / part_files(tmp_path)[0]
    content = bytearray(path.read_bytes())
    for place in (3, 40, len(content) // 2, len(content) - 1):
        content[place] ^= 4
        path.write_bytes(content)
        with pytest.raises(PartsError, match=r"is damaged|cannot be read|are missing"):
            read(tmp_path)
        content[place] ^= 4


def test_parts_of_which_nobody_knows_whose_they_are_are_begun_anew(tmp_path):
    write(tmp_path, max_bytes=1)
    (tmp_path / "parts.json").unlink()
    with pytest.raises(DamagedPartsError, match=r"has no parts.json, which says whose embeddings these are"):
        num_docs_done(tmp_path, 0, 1)
    writer = PartWriter(tmp_path)
    assert (writer.num_docs, [path.name for path in tmp_path.iterdir()]) == (0, ["parts.json"])


@pytest.mark.parametrize("gone", ["folder", "parts.json", "exchanged"])
def test_a_folder_that_is_gone_is_noticed_at_the_next_write(tmp_path, gone):
    folder = tmp_path / "parts"
    writer = PartWriter(folder)
    writer.append(IDS[:2], VECTORS[:2])
    writer.flush()
    if gone == "parts.json":
        (folder / "parts.json").unlink()
    else:
        folder.rename(tmp_path / "elsewhere")
    if gone == "exchanged":
        write(folder, 3)
    with pytest.raises(PartsError, match="parts' is gone: somebody removed it") as caught:
        writer.append(IDS[2:4], VECTORS[2:4])
    assert caught.value.hint == "Repeat the command to begin anew."
    with pytest.raises(PartsError, match="is gone"):
        writer.close()
    assert folder.exists() == (gone != "folder")


class TestDuplicates:
    @pytest.mark.parametrize("max_bytes", [1, 10**6])
    def test_are_found_when_they_are_appended(self, tmp_path, max_bytes):
        writer = PartWriter(tmp_path, max_bytes=max_bytes)
        writer.append(IDS[:4], VECTORS[:4])
        with pytest.raises(DocumentIdError, match="The document id 'd1' occurs twice, as documents 2 and 6"):
            writer.append(["e", "d1"], VECTORS[:2])
        writer.append(["e"], VECTORS[:1])
        writer.close()
        assert Parts(tmp_path).num_docs == 5

    def test_within_what_is_appended_at_once_are_found(self, tmp_path):
        with pytest.raises(DocumentIdError, match="'b' occurs twice, as documents 2 and 3"):
            PartWriter(tmp_path).append(["a", "b", "b"], VECTORS[:3])

    def test_of_an_interrupted_run_are_found(self, tmp_path):
        write(tmp_path)
        with pytest.raises(DocumentIdError, match="'d9' occurs twice, as documents 10 and 11"):
            PartWriter(tmp_path).append(["d9"], VECTORS[:1])

    def test_are_no_others_that_have_the_same_hash(self, tmp_path, monkeypatch):
        monkeypatch.setattr("lir_index.seen_ids.hash", lambda doc_id: len(doc_id), raising=False)
        write(tmp_path)
        with PartWriter(tmp_path) as writer, pytest.raises(DocumentIdError, match="'d3' occurs twice"):
            writer.append(["x1", "d3"], VECTORS[:2])

    def test_are_found_among_many(self):
        seen = SeenIds()
        ids = [f"{number}" for number in range(20_000)]
        assert not any(seen.add(ids[start : start + 97]) for start in range(0, 20_000, 97))
        assert seen.add(["x", "777", "y", "19999"]) == ["777", "19999"]


class TestWhichDocumentsTheyAreOf:
    def test_does_not_depend_on_how_they_came(self, tmp_path):
        digests = [bytes([number]) * 16 for number in range(10)]
        for name, sizes in (("one", [10]), ("many", [1, 2, 3, 4])):
            with PartWriter(tmp_path / name, max_bytes=1 if name == "many" else 10**6) as writer:
                start = 0
                for size in sizes:
                    writer.append(
                        IDS[start : start + size], VECTORS[start : start + size], digests[start : start + size]
                    )
                    start += size
        told = [(find_done(tmp_path / name, 0, 1), Parts(tmp_path / name).contents) for name in ("one", "many")]
        assert told[0] == told[1]
        assert told[0] == (Done(10, extended(NOTHING, digests)), extended(NOTHING, digests).hex())

    def test_is_unknown_if_it_was_unknown_of_any(self, tmp_path):
        with PartWriter(tmp_path) as writer:
            writer.append(IDS[:2], VECTORS[:2], [b"a" * 16, b"b" * 16])
            writer.append(IDS[2:4], VECTORS[2:4])
        with PartWriter(tmp_path) as writer:
            writer.append(IDS[4:5], VECTORS[4:5], [b"c" * 16])
        assert (find_done(tmp_path, 0, 1), Parts(tmp_path).contents) == (Done(5, None), None)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "nonsense",
        "[" * 100_000,
        '{"format": ' + "9" * 5000 + "}",
        '{"format": "lir-parts", "format_version": 1}',
    ],
)
def test_a_damaged_description_is_noticed(tmp_path, text):
    (tmp_path / "parts.json").write_text(text)
    with pytest.raises(PartsError, match=r"parts.json' (has the format|cannot be read|is damaged)"):
        Parts(tmp_path)


def test_a_folder_without_parts_is_named(tmp_path):
    with pytest.raises(PartsError, match=r"There are no parts in .* it has no parts.json"):
        Parts(tmp_path)


def test_no_document_at_all_is_refused(tmp_path):
    write(tmp_path, count=0)
    with pytest.raises(PartsError, match="hold no document, and an index needs at least one"):
        Parts(tmp_path)


class TestAppendRefuses:
    def test_a_value_that_is_no_number_and_names_the_document(self, tmp_path):
        vectors = VECTORS.copy()
        vectors[7, 1] = np.nan
        with pytest.raises(EmbeddingsError, match="The embedding of document 'd7' holds the value nan"):
            PartWriter(tmp_path).append(IDS, vectors)

    def test_another_number_of_ids(self, tmp_path):
        with pytest.raises(EmbeddingsError, match="There are 9 document ids and 10 embeddings"):
            PartWriter(tmp_path).append(IDS[:9], VECTORS)

    def test_another_form_than_before(self, tmp_path):
        write(tmp_path)
        with pytest.raises(EmbeddingsError, match="These are sparse embeddings, those before are dense embeddings"):
            PartWriter(tmp_path).append(IDS, FORMS["sparse"])

    def test_another_dimension_than_the_model_has(self, tmp_path):
        with pytest.raises(EmbeddingsError, match="These embeddings have 3 dimensions, 4 are expected"):
            PartWriter(tmp_path, metadata={"dim": 4}).append(IDS, VECTORS)

    @pytest.mark.parametrize("doc_id", ["", 5, None])
    def test_an_id_that_is_no_text(self, tmp_path, doc_id):
        with pytest.raises(DocumentIdError, match=f"this one is {doc_id!r}"):
            PartWriter(tmp_path).append([doc_id], VECTORS[:1])


def test_ids_may_be_numpy_strings(tmp_path):
    with PartWriter(tmp_path) as writer:
        writer.append(np.array(IDS), VECTORS)
    assert [doc_id for doc_id, _ in read(tmp_path)] == IDS
