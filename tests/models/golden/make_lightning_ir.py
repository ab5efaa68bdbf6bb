# /// script
# requires-python = ">=3.11,<3.15"
# dependencies = ["lightning-ir==0.0.6", "transformers==4.57.6", "torch==2.15.0"]
# ///
"""What Lightning IR 0.0.6 saves and computes."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import tiny
import torch
import transformers
from lightning_ir import BiEncoderModule, CrossEncoderModule
from lightning_ir.models import (
    CoilConfig,
    ColConfig,
    DprConfig,
    MonoConfig,
    MvrConfig,
    SetEncoderConfig,
    SpladeConfig,
    UniCoilConfig,
)

PACKAGES = ["lightning-ir", "transformers", "tokenizers", "torch"]
DIMENSION = 8
LENGTHS = {"query_length": tiny.QUERY_LENGTH, "doc_length": tiny.DOC_LENGTH}


def main() -> None:
    """All goldens of Lightning IR."""
    # The names of the options are those of the release: Dpr's differ from the others', and its pooling is only what
    # `pooling_strategy` says; `query_pooling_strategy` and `doc_pooling_strategy` are saved and never read.
    bi_encoder("dpr", DprConfig(**LENGTHS, normalize=True), seed=1)
    bi_encoder(
        "dpr-first",
        DprConfig(
            **LENGTHS, projection=None, pooling_strategy="first", similarity_function="cosine", add_marker_tokens=True
        ),
        seed=2,
    )
    mlm = "BertForMaskedLM"
    bi_encoder("splade", SpladeConfig(**LENGTHS), mlm, seed=3)
    bi_encoder(
        "splade-static-query", SpladeConfig(**LENGTHS, query_weighting="static", query_expansion=False), mlm, seed=4
    )
    bi_encoder("splade-binary-query", SpladeConfig(**LENGTHS, query_weighting=None, query_expansion=False), mlm, seed=5)
    bi_encoder("splade-lexical", SpladeConfig(**LENGTHS, query_expansion=False, doc_expansion=False), mlm, seed=6)
    bi_encoder(
        "splade-2xlog",
        SpladeConfig(**LENGTHS, sparsification_strategy="relu_2xlog", pooling_strategy="sum"),
        mlm,
        seed=7,
    )
    # What is saved is right, but the release maps the names in its own checkpoint once more and finds no head.
    bi_encoder(
        "splade-distilbert",
        SpladeConfig(**LENGTHS),
        "DistilBertForMaskedLM",
        seed=8,
        reloads=False,
        config_class="DistilBertConfig",
        dim=16,
        n_layers=1,
        n_heads=2,
        hidden_dim=32,
    )
    bi_encoder(
        "col",
        ColConfig(
            **LENGTHS,
            add_marker_tokens=True,
            query_expansion=True,
            normalization_strategy="l2",
            doc_mask_scoring_tokens="punctuation",
        ),
        seed=9,
    )
    bi_encoder(
        "col-plain",
        ColConfig(
            **LENGTHS,
            projection="linear_no_bias",
            similarity_function="cosine",
            query_aggregation_function="mean",
            query_mask_scoring_tokens=["[CLS]", "[SEP]", "the"],
        ),
        seed=10,
    )
    bi_encoder(
        "col-attend",
        ColConfig(
            **LENGTHS,
            query_expansion=True,
            attend_to_query_expanded_tokens=True,
            doc_expansion=True,
            attend_to_doc_expanded_tokens=True,
            doc_aggregation_function="mean",
        ),
        seed=11,
    )
    bi_encoder("coil", CoilConfig(**LENGTHS, token_embedding_dim=4, cls_embedding_dim=8), seed=12)
    bi_encoder("unicoil", UniCoilConfig(**LENGTHS), seed=13)
    bi_encoder("mvr", MvrConfig(**LENGTHS, num_viewer_tokens=3), seed=14)
    bi_encoder("mvr-markers", MvrConfig(**LENGTHS, num_viewer_tokens=3, add_marker_tokens=True), seed=15)

    cross_encoder("mono-rank", MonoConfig(**LENGTHS), seed=16)
    # What is saved is right, but transformers takes the first letters of bert_pool for the prefix of all weights and
    # then finds none of them.
    cross_encoder(
        "mono-two-labels-bert-pool",
        MonoConfig(**LENGTHS, scoring_strategy="mono", pooling_strategy="bert_pool", linear_bias=True),
        seed=17,
        reloads=False,
    )
    cross_encoder(
        "mono-electra",
        MonoConfig(**LENGTHS, linear_bias=True),
        "ElectraModel",
        seed=18,
        config_class="ElectraConfig",
        embedding_size=8,
    )
    cross_encoder("mono-t5", MonoConfig(**LENGTHS, scoring_strategy="mono"), "T5Model", seed=19)
    cross_encoder("set-encoder", SetEncoderConfig(**LENGTHS, sample_missing_docs=False), seed=20)
    cross_encoder(
        "set-encoder-extra-token", SetEncoderConfig(**LENGTHS, sample_missing_docs=False, add_extra_token=True), seed=21
    )


def save(
    module_class: Any, name: str, config: Any, architecture: str, *, seed: int, reloads: bool = True, **options: Any
) -> tuple[Path, Any]:
    """The golden's folder with a random checkpoint, and the module that was loaded from it."""
    folder = tiny.new_folder(f"lightning-ir-{name}")
    # The release neither passes on nor saves an `embedding_dim` that stands in the config: it has to be said each time.
    dimension = {"embedding_dim": DIMENSION} if config.model_type in {"col", "lir-dpr", "mvr"} else {}
    with tempfile.TemporaryDirectory() as temporary:
        backbone = Path(temporary) / "backbone"
        if architecture.startswith("T5"):
            tiny.save_t5(backbone, seed=seed)
        else:
            tiny.save_bert(backbone, architecture, seed=seed, **options)
        module = module_class(model_name_or_path=str(backbone), config=config, model_kwargs=dict(dimension))
    if len(module.tokenizer) > module.model.config.vocab_size:
        # A bi-encoder's module has done so, a cross-encoder's does not: [INT] would have no embedding.
        module.model.resize_token_embeddings(len(module.tokenizer), 8)
    tiny.randomise(module.model, seed)
    module.save_pretrained(folder / "checkpoint")
    module.eval()
    if not reloads:
        return folder, module
    loaded = module_class(model_name_or_path=str(folder / "checkpoint"), model_kwargs=dict(dimension)).eval()
    before = module.model.state_dict()
    for key, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, before[key]), f"{name} loads another {key} than it saved."
    return folder, loaded


def bi_encoder(name: str, config: Any, architecture: str = "BertModel", *, seed: int, **options: Any) -> None:
    """Every query with every document, by ``BiEncoderModule.score``."""
    folder, module = save(BiEncoderModule, name, config, architecture, seed=seed, **options)
    output = module.score(tiny.QUERIES, [tiny.DOCS] * len(tiny.QUERIES))
    queries = output.query_embeddings
    # The documents were encoded once for each query.
    count = len(tiny.DOCS)
    docs = {key: value[:count] for key, value in output.doc_embeddings.items() if isinstance(value, torch.Tensor)}
    encoding = {key: value[:count] for key, value in output.doc_embeddings.encoding.items()}
    expected = {
        "queries": tiny.QUERIES,
        "docs": tiny.DOCS,
        "query_tokens": tiny.tokens(
            module.tokenizer, queries.encoding["input_ids"], queries.encoding["attention_mask"]
        ),
        "doc_tokens": tiny.tokens(module.tokenizer, encoding["input_ids"], encoding["attention_mask"]),
    }
    if config.model_type == "coil":
        expected |= {
            "query_cls_embeddings": tiny.numbers(queries.cls_embeddings[:, 0]),
            "doc_cls_embeddings": tiny.numbers(docs["cls_embeddings"][:, 0]),
            "query_embeddings": masked(queries.token_embeddings, queries.scoring_mask[:, 1:]),
            "doc_embeddings": masked(docs["token_embeddings"], docs["scoring_mask"][:, 1:]),
        }
    elif queries.scoring_mask is not None:
        expected |= {
            "query_embeddings": masked(queries.embeddings, queries.scoring_mask),
            "doc_embeddings": masked(docs["embeddings"], docs["scoring_mask"]),
        }
    else:
        form = tiny.weights if config.model_type in {"splade", "unicoil"} else tiny.numbers
        expected |= {
            "query_embeddings": form(queries.embeddings[:, 0]),
            "doc_embeddings": form(docs["embeddings"][:, 0]),
        }
    expected["scores"] = tiny.numbers(output.scores.view(-1, count))
    tiny.write_expected(folder, __file__, PACKAGES, expected)


def masked(embeddings: torch.Tensor, mask: torch.Tensor) -> list[Any]:
    """The vectors that take part in scoring."""
    return [tiny.numbers(vectors[kept]) for vectors, kept in zip(embeddings, mask.bool(), strict=True)]


def cross_encoder(name: str, config: Any, architecture: str = "BertModel", *, seed: int, **options: Any) -> None:
    """Each query with all documents, by ``CrossEncoderModule.score``: a Set-Encoder's documents see each other."""
    folder, module = save(CrossEncoderModule, name, config, architecture, seed=seed, **options)
    encodings = [module.prepare_input([query], tiny.DOCS, [len(tiny.DOCS)])["encoding"] for query in tiny.QUERIES]
    expected = {
        "queries": tiny.QUERIES,
        "docs": tiny.DOCS,
        "pair_tokens": [tiny.tokens(module.tokenizer, each["input_ids"], each["attention_mask"]) for each in encodings],
        "scores": [tiny.numbers(module.score(query, tiny.DOCS).scores) for query in tiny.QUERIES],
    }
    tiny.write_expected(folder, __file__, PACKAGES, expected)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    main()
