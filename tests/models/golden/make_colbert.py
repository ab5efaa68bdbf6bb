# /// script
# requires-python = ">=3.11,<3.15"
# dependencies = ["colbert-ai[faiss-cpu]==0.2.22", "transformers==4.57.6", "torch==2.15.0"]
# ///
"""What colbert-ai 0.2.22, ColBERT of Stanford, saves and computes.

On a GPU it computes with half precision, so none is shown to it. Its automatic mixed precision is for CUDA alone and
does nothing on a processor.
"""

import json
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import tiny
import torch
import transformers
from colbert.infra import ColBERTConfig
from colbert.modeling.checkpoint import Checkpoint
from colbert.modeling.colbert import ColBERT, colbert_score

PACKAGES = ["colbert-ai", "transformers", "tokenizers", "torch"]


def main() -> None:
    """All goldens of ColBERT."""
    golden("stanford-colbert", seed=71)
    golden("stanford-colbert-attend", seed=72, attend_to_mask_tokens=True)


def golden(name: str, *, seed: int, **options: Any) -> None:
    """Save a random model, load it again, encode and score."""
    folder = tiny.new_folder(name)
    checkpoint = folder / "checkpoint"
    with tempfile.TemporaryDirectory() as temporary:
        backbone = str(tiny.save_bert(Path(temporary) / "backbone", seed=seed))
        config = ColBERTConfig(
            checkpoint=backbone, dim=8, query_maxlen=tiny.QUERY_LENGTH, doc_maxlen=tiny.DOC_LENGTH, **options
        )
        model = Checkpoint(backbone, colbert_config=config, verbose=0)
    tiny.randomise(model.model, seed)
    model.save(str(checkpoint))
    forget_where_and_when(checkpoint / "artifact.metadata")
    before = model.model.state_dict()
    model = Checkpoint(str(checkpoint), colbert_config=ColBERTConfig(checkpoint=str(checkpoint)), verbose=0)
    for key, tensor in model.model.state_dict().items():
        assert torch.equal(tensor, before[key]), f"{name} loads another {key} than it saved."

    queries = model.queryFromText(tiny.QUERIES)
    query_ids, query_mask = model.query_tokenizer.tensorize(tiny.QUERIES)
    doc_ids, doc_mask = model.doc_tokenizer.tensorize(tiny.DOCS)
    padded, mask = model.doc(doc_ids, doc_mask, keep_dims="return_mask")
    expected = {
        "queries": tiny.QUERIES,
        "docs": tiny.DOCS,
        "query_tokens": tiny.tokens(model.raw_tokenizer, query_ids, query_mask),
        "doc_tokens": tiny.tokens(model.raw_tokenizer, doc_ids, doc_mask),
        "query_embeddings": tiny.numbers(queries),
        "doc_embeddings": tiny.numbers(model.docFromText(tiny.DOCS, keep_dims=False)),
        "scores": [tiny.numbers(colbert_score(query[None], padded, mask, model.colbert_config)) for query in queries],
    }
    tiny.write_expected(folder, __file__, PACKAGES, expected)


def forget_where_and_when(path: Path) -> None:
    """Beside the model's options the library writes the host, the commit, the time and folders; no loader reads them."""
    metadata = json.loads(path.read_text(encoding="utf-8"))
    del metadata["meta"]
    metadata |= {"root": "experiments", "name": "tiny", "checkpoint": None}
    path.write_text(json.dumps(metadata, indent=4) + "\n", encoding="utf-8")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    # Else the constructor compiles an extension, which only scores documents that an index has decompressed.
    ColBERT.loaded_extensions = True
    main()
