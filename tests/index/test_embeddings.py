import numpy as np
import pytest
import scipy.sparse

from lir_index.embeddings import as_batch, concatenate, first_not_finite
from lir_index.errors import EmbeddingsError

DENSE = np.arange(12, dtype=np.float32).reshape(4, 3)
SPARSE = scipy.sparse.csr_array(np.array([[0, 1, 0], [2, 0, 3], [0, 0, 0], [4, 0, 0]], dtype=np.float32))
PACKED = (np.arange(12, dtype=np.float32).reshape(6, 2), np.array([2, 0, 3, 1]))
TEXTS = ["no ascii: é", "", "two", "\U0001f600"]
FORMS = {"dense": DENSE, "sparse": SPARSE, "multi-vector": PACKED, "text": TEXTS}
DIMS = {"dense": 3, "sparse": 3, "multi-vector": 2, "text": 0}


@pytest.fixture(params=list(FORMS))
def form(request):
    return request.param


def same(one, other):
    return one.form == other.form and all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)


def test_the_form_is_recognised(form):
    batch = as_batch(FORMS[form])
    assert (batch.form, len(batch), batch.dim) == (form, 4, DIMS[form])


@pytest.mark.parametrize("cut", [0, 1, 2, 4])
def test_rows_and_concatenate_undo_each_other(form, cut):
    batch = as_batch(FORMS[form])
    assert same(concatenate([batch.rows(0, cut), batch.rows(cut, 4)]), batch)


@pytest.mark.parametrize("places", [[], [3, 0], [1, 1, 2]])
def test_taking_places_gives_the_rows_there(form, places):
    batch = as_batch(FORMS[form])
    taken = batch.take(np.array(places, dtype=np.int64))
    assert len(taken) == len(places)
    assert all(same(taken.rows(i, i + 1), batch.rows(place, place + 1)) for i, place in enumerate(places))


@pytest.mark.parametrize("given", [TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), []])
def test_texts_come_back_as_they_were_given(given):
    assert as_batch(given).texts() == list(given)


def test_half_a_surrogate_pair_becomes_a_question_mark():
    assert as_batch(["a \ud83d b"]).texts() == ["a ? b"]


@pytest.mark.parametrize("form", [form for form in FORMS if form != "text"], indirect=True)
def test_the_document_of_a_nan_is_found(form):
    batch = as_batch(FORMS[form])
    values = batch.values.copy()
    values.reshape(-1)[-1] = np.nan
    batch.arrays["embeddings" if form == "dense" else "data" if form == "sparse" else "vectors"] = values
    position, value = first_not_finite(batch)
    assert position == 3
    assert np.isnan(value)


def test_opposite_infinities_are_found():
    assert first_not_finite(as_batch(np.array([[1.0], [np.inf], [-np.inf]]))) == (1, np.inf)


def test_finite_embeddings_are_finite(form):
    assert first_not_finite(as_batch(FORMS[form])) is None


@pytest.mark.parametrize(("given", "kept"), [("float16", "float16"), ("float64", "float32"), ("int8", "float32")])
def test_numbers_become_float32_unless_they_are_float16(given, kept):
    assert as_batch(DENSE.astype(given)).values.dtype == kept


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_tensors_are_taken(dtype):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(DENSE, dtype=getattr(torch, dtype), requires_grad=True)
    assert np.array_equal(as_batch(tensor).values, DENSE)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state:UserWarning")
def test_sparse_tensors_are_taken():
    torch = pytest.importorskip("torch")
    assert same(as_batch(torch.tensor(SPARSE.toarray()).to_sparse_csr()), as_batch(SPARSE))


@pytest.mark.parametrize(
    ("embeddings", "sentence"),
    [
        (np.zeros(3), r"Dense embeddings are an array \[n, dim\]; this one has the shape \[3\]"),
        (np.array([["a"]]), "Embeddings are numbers; these have the type <U1"),
        ([[1, 2], [3]], "Embeddings are arrays or tensors, and this is none"),
        (["a", 3], "Texts are strings; number 2 of 2 is 3"),
        ((DENSE,), r"a pair \(vectors, lengths\); this tuple has 1 members"),
        ((DENSE, np.array([1, 2])), "The lengths add up to 3, and there are 4 vectors"),
        ((DENSE, np.array([5, -1])), "The lengths add up to 4, and there are 4 vectors, and one length is negative"),
        ((DENSE, np.array([1.0, 3.0])), r"the shapes are \[4, 3\] and \[2\], the lengths float64"),
    ],
)
def test_what_is_none_of_the_forms_is_refused(embeddings, sentence):
    with pytest.raises(EmbeddingsError, match=sentence):
        as_batch(embeddings)
