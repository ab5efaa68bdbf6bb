"""What sentence-transformers saves says all that its models were made with: each word of it is read, or refused by name."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import tokenizers
import torch

from lir_models import BiEncoderModel, CrossEncoderModel
from lir_models.errors import CheckpointError

sentence_transformers = pytest.importorskip("sentence_transformers")
base = pytest.importorskip("sentence_transformers.base.modules")
dense = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

# Of functions of torch's that sentence-transformers calls.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse .*:UserWarning")

TEXTS = ["berlin is the capital of germany", "paris", "the river is long " * 30, "how deep is the Blue lake? " * 3]

# Which model it is, where it runs, and how it is fetched: nothing of that is saved.
NOT_SAVED = {
    "model_name_or_path", "modules", "device", "cache_folder", "trust_remote_code", "revision", "local_files_only",
    "token", "use_auth_token", "model_card_data", "backend",
}  # fmt: skip
#: For each argument, values to make a model with, and the message of what lir does not read.
Arguments = dict[str, list[tuple[dict[str, Any], str]]]
COMMON: Arguments = {
    "prompts": [({"prompts": {"query": "what is ", "document": "the city "}}, "")],
    "default_prompt_name": [({"prompts": {"mine": "what is "}, "default_prompt_name": "mine"}, "")],
    "model_kwargs": [({"model_kwargs": {"attn_implementation": "eager"}}, "")],
    "processor_kwargs": [({"processor_kwargs": {"model_max_length": 9}}, "")],
    "config_kwargs": [({"config_kwargs": {"hidden_act": "relu"}}, "")],
}
SIMILARITIES = [
    *[({"similarity_fn_name": name}, "") for name in ("cosine", "dot", "euclidean")],
    ({"similarity_fn_name": "manhattan"}, "compares by 'manhattan'; lir knows cosine, dot, euclidean"),
]
ARGUMENTS: dict[str, Arguments] = {
    "SentenceTransformer": {
        **COMMON,
        "similarity_fn_name": SIMILARITIES,
        "truncate_dim": [({"truncate_dim": 8, "similarity_fn_name": "dot"}, "")],
    },
    "SparseEncoder": {**COMMON, "similarity_fn_name": SIMILARITIES, "max_active_dims": [({"max_active_dims": 5}, "")]},
    "MultiVectorEncoder": {
        **COMMON,
        "similarity_fn_name": [({"similarity_fn_name": name}, "") for name in ("maxsim", "meanmaxsim")],
    },
    "CrossEncoder": {
        **COMMON,
        "prompts": [({"prompts": {"query": "what is "}}, "")],  # which nothing asks for
        "num_labels": [({"num_labels": 1}, ""), ({"num_labels": 2}, ""), ({"num_labels": 3}, "")],
        "max_length": [({"max_length": 9}, "")],
        "activation_fn": [
            *[
                ({"activation_fn": getattr(torch.nn, name)()}, "")
                for name in ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid", "LogSigmoid")
            ],
            ({"activation_fn": torch.nn.Softplus()}, "asks for the activation 'torch.nn.modules.activation.Softplus'"),
        ],
        "keep_in_fp32_modules": [({"keep_in_fp32_modules": ["0.model.classifier"]}, "")],
    },
}
CASES = [
    pytest.param(name, arguments, message, id=f"{name}-{argument}-{place}")
    for name, table in ARGUMENTS.items()
    for argument, values in table.items()
    for place, (arguments, message) in enumerate(values)
]


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_is_sorted(name: str) -> None:
    known = set(inspect.signature(getattr(sentence_transformers, name)).parameters)
    assert known - NOT_SAVED == set(ARGUMENTS[name])


@pytest.fixture
def make(tiny_model: Callable[..., Path], tmp_path: Path) -> Callable[..., Any]:
    """What makes a model of sentence-transformers and saves it."""

    def made(name: str, chain: list[Any] | None = None, **arguments: Any) -> Any:
        torch.manual_seed(5)
        kind = getattr(sentence_transformers, name)
        if chain is None:
            head = {"SparseEncoder": "ForMaskedLM", "CrossEncoder": "ForSequenceClassification"}.get(name, "Model")
            options = {"num_labels": arguments.get("num_labels", 1)} if name == "CrossEncoder" else {}
            model = kind(str(tiny_model("bert", head, **options)), device="cpu", **arguments)
        else:
            model = kind(modules=chain, device="cpu", **arguments)
        model.save(str(tmp_path / "st"))
        return kind(str(tmp_path / "st"), device="cpu")

    return made


def assert_equal(reference: Any, folder: Path) -> None:
    if isinstance(reference, sentence_transformers.CrossEncoder):
        pairs = [(query, doc) for query in TEXTS for doc in TEXTS]
        expected = torch.tensor(reference.predict(pairs))
        expected = expected.log_softmax(dim=-1)[:, 1] if reference.num_labels == 2 else expected
        scores: Any = CrossEncoderModel.from_pretrained(folder).predict(pairs)
    else:
        model = BiEncoderModel.from_pretrained(folder)
        expected = reference.similarity(reference.encode_query(TEXTS), reference.encode_document(TEXTS))
        expected = expected.to_dense() if expected.is_sparse else expected
        scores = model.similarity(model.encode_query(TEXTS), model.encode_document(TEXTS))
    # The distance of a vector from itself has no digits.
    atol = 1e-2 if getattr(reference, "similarity_fn_name", "") == "euclidean" else 1e-5
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=atol)


@pytest.mark.parametrize(("name", "arguments", "message"), CASES)
def test_an_argument_is_read_or_refused(
    make: Callable[..., Any], tmp_path: Path, name: str, arguments: dict[str, Any], message: str
) -> None:
    reference = make(name, **arguments)
    if message:
        kind: Any = CrossEncoderModel if name == "CrossEncoder" else BiEncoderModel
        with pytest.raises(CheckpointError, match=message):
            kind.from_pretrained(tmp_path / "st")
    else:
        assert_equal(reference, tmp_path / "st")


def test_a_prompt_before_a_query_of_a_pair_is_read(make: Callable[..., Any], tmp_path: Path) -> None:
    make("CrossEncoder", prompts={"mine": "what is "}, default_prompt_name="mine")
    assert CrossEncoderModel.from_pretrained(tmp_path / "st").config.query_prompt == "what is "


WORDS: list[tuple[dict[str, Any], str]] = [
    ({"query_length": 5, "document_length": 9}, ""),
    ({"max_seq_length": 9}, ""),
    ({"do_lower_case": True}, ""),
    ({"unpad_inputs": False}, ""),
    ({"tokenizer_args": {"model_max_length": 9}}, ""),
    ({"model_args": {"attn_implementation": "eager"}}, ""),
    ({"processing_kwargs": {"text": {"max_length": 7}}}, "has processing_kwargs"),
    ({"query_expansion": {"strategy": "fixed", "length": 9}}, "has query_expansion"),
    ({"module_output_name": "sentence_embedding"}, "hands on 'sentence_embedding'"),
    ({"tokenizer_args": {"padding_side": "left"}}, "hands padding_side 'left' to transformers, in tokenizer_args"),
    ({"config_args": {"hidden_act": "relu"}}, "hands hidden_act 'relu' to transformers, in config_args"),
    ({"tokenizer_name_or_path": "elsewhere"}, "has a tokenizer elsewhere"),
    (
        {"modality_config": {"message": {"method": "forward", "method_output_name": "last_hidden_state"}}},
        "a chat's messages",
    ),
    ({"modality_config": {"text": {"method": "get_text_features"}}}, "calls the model's 'get_text_features'"),
]


@pytest.mark.parametrize(("words", "message"), WORDS, ids=[str(words)[:40] for words, _ in WORDS])
def test_a_word_of_the_transformer_is_read_or_refused(
    make: Callable[..., Any], tmp_path: Path, words: dict[str, Any], message: str
) -> None:
    make("SentenceTransformer", prompts={"query": "What is "})
    path = tmp_path / "st" / "sentence_bert_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **words}))
    if message:
        with pytest.raises(CheckpointError, match=message):
            BiEncoderModel.from_pretrained(tmp_path / "st")
    else:
        assert_equal(sentence_transformers.SentenceTransformer(str(tmp_path / "st"), device="cpu"), tmp_path / "st")


def test_a_routers_mapping_is_refused(
    tiny_model: Callable[..., Path], make: Callable[..., Any], tmp_path: Path
) -> None:
    routes = {side: [base.Transformer(str(tiny_model("bert"))), dense.Pooling(32)] for side in ("query", "document")}
    make("SentenceTransformer", [base.Router(routes, route_mappings={("query", "text"): "document"})])
    with pytest.raises(CheckpointError, match="has route_mappings"):
        BiEncoderModel.from_pretrained(tmp_path / "st")


def test_any_order_of_layers_after_pooling_is_read(
    tiny_model: Callable[..., Path], make: Callable[..., Any], tmp_path: Path
) -> None:
    chain = [
        base.Transformer(str(tiny_model("bert"))),
        dense.Pooling(32, pooling_mode=["cls", "mean"]),
        dense.Normalize(),
        dense.Dense(64, 16),
        dense.Dropout(0.5),
        dense.LayerNorm(16),
        dense.Dense(16, 16, activation_function=torch.nn.ReLU(), use_residual=True),
        dense.Normalize(),
        dense.Dense(16, 8, bias=False),
        dense.LayerNorm(8),
    ]
    for module in (chain[5], chain[9]):
        torch.nn.init.normal_(module.norm.weight)
    reference = make("SentenceTransformer", chain)
    assert_equal(reference, tmp_path / "st")
    BiEncoderModel.from_pretrained(tmp_path / "st").save_pretrained(tmp_path / "saved")
    for folder in (tmp_path / "saved", tmp_path / "st"):
        assert_equal(sentence_transformers.SentenceTransformer(str(folder), device="cpu"), tmp_path / "saved")


def test_one_side_alone_may_be_normalized(
    tiny_model: Callable[..., Path], make: Callable[..., Any], tmp_path: Path
) -> None:
    router = base.Router.for_query_document([dense.Normalize()], [dense.LayerNorm(32)])
    chain = [base.Transformer(str(tiny_model("bert"))), dense.Pooling(32), router]
    reference = make("SentenceTransformer", chain, similarity_fn_name="dot")
    assert_equal(reference, tmp_path / "st")


STATIC_CHAINS: list[Callable[[], list[Any]]] = [
    list,
    lambda: [dense.Normalize()],
    lambda: [dense.Normalize(), dense.Dense(16, 8), dense.LayerNorm(8)],
]


@pytest.mark.parametrize("layers", STATIC_CHAINS, ids=range(len(STATIC_CHAINS)))
@pytest.mark.parametrize("length", [None, 7])
def test_static_embeddings_are_read(
    tiny_model: Callable[..., Path], make: Callable[..., Any], tmp_path: Path, layers: Any, length: int | None
) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(tiny_model("bert") / "tokenizer.json"))
    if length is not None:
        tokenizer.enable_truncation(length)
    torch.manual_seed(1)
    chain = [dense.StaticEmbedding(tokenizer, embedding_dim=16), *layers()]
    reference = make("SentenceTransformer", chain, prompts={"query": "what is "}, truncate_dim=6)
    assert_equal(reference, tmp_path / "st")
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    np.testing.assert_allclose(model.encode_document([*TEXTS, ""]), reference.encode_document([*TEXTS, ""]), atol=1e-5)
    model.save_pretrained(tmp_path / "saved")
    assert BiEncoderModel.from_pretrained(tmp_path / "saved").fingerprint == model.fingerprint
    again = sentence_transformers.SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    assert_equal(again, tmp_path / "saved")
    np.testing.assert_allclose(again.encode_query(TEXTS), reference.encode_query(TEXTS), atol=1e-5)


@pytest.mark.parametrize("has_modules", [False, True])
def test_vectors_of_model2vec_are_read(tiny_model: Callable[..., Path], tmp_path: Path, has_modules: bool) -> None:
    folder = tmp_path / "model2vec"
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes((tiny_model("bert") / "tokenizer.json").read_bytes())
    terms = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    torch.manual_seed(2)
    weights = {"embeddings": torch.randn(9, 16), "mapping": torch.randint(0, 9, (terms,)), "weights": torch.rand(terms)}
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    reference = sentence_transformers.SentenceTransformer(
        modules=[dense.StaticEmbedding.load(str(folder)), dense.Normalize()], device="cpu"
    )
    if has_modules:
        names = {"StaticEmbedding": ".", "Normalize": "1_Normalize"}
        modules = [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{name}"}
            for place, (name, path) in enumerate(names.items())
        ]
        (folder / "modules.json").write_text(json.dumps(modules))
    assert_equal(reference, folder)
