"""In-batch negatives without those that another model finds too similar."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lir_models import BiEncoderModel
from lir_models.embeddings import to_tensors
from lir_models.fields import Side
from lir_models.scoring import compare
from lir_train.gather import gather_embeddings
from lir_train.losses.arguments import check_choice
from lir_train.losses.directions import doc_to_doc, query_to_query
from lir_train.losses.loss import Embedded, LossFunction, LossInput, check_temperature, left_out, masked_mean
from lir_train.losses.roles import roles


class GuidedInBatchCrossEntropy(LossFunction):
    r"""In-batch cross entropy, where a guide decides what is a negative (GISTEmbed).

    :math:`-\log \frac{\exp(s_+ / \tau)}{\exp(s_+ / \tau) + \sum_j \exp(s_j / \tau)}`, the mean over queries: the best
    document's score with its query against that of the query with other documents, of the query with other queries, and
    of the best document with the other queries' best ones. Left out is what the guide scores above its score of the
    query and its best document, less the margin.

    Args:
        guide: A bi-encoder, or the name that `BiEncoderModel.from_pretrained` loads when the first batch comes. It learns
            nothing.
        margin: How far below the best document's score by the guide a negative must be.
        margin_strategy: ``absolute``, in the unit of the guide's scores; or ``relative``, a share of the best's score.
        temperature: What scores are divided by.
        contrast_queries: Whether queries are compared with queries.
        contrast_docs: Whether best documents are compared with best documents.

    References:
        Solatorio (2024), *GISTEmbed: Guided In-sample Selection of Training Negatives for Text Embedding Fine-tuning*. https://arxiv.org/abs/2402.16829
    """

    needs_all_scores = True
    needs_embeddings = True

    def __init__(
        self,
        guide: str | BiEncoderModel,
        margin: float = 0.0,
        margin_strategy: Literal["absolute", "relative"] = "absolute",
        temperature: float = 0.01,
        *,
        contrast_queries: bool = True,
        contrast_docs: bool = True,
    ) -> None:
        check_choice(self, "margin_strategy", margin_strategy, ("absolute", "relative"))
        self.guide = guide
        self.margin = margin
        self.margin_strategy = margin_strategy
        self.temperature = check_temperature(self, temperature)
        self.contrast_queries = contrast_queries
        self.contrast_docs = contrast_docs

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss; the batch must have embeddings and texts."""
        assert batch.all_scores is not None
        parts = roles(batch)
        guided = batch.compared_anew(self._guide(batch))
        assert guided.all_scores is not None
        positive = batch.all_scores.masked_fill(~parts.positive, 0.0).sum(dim=1)
        limit = self._limit(guided.all_scores.masked_fill(~parts.positive, 0.0).sum(dim=1, keepdim=True))

        negatives = (parts.own_negatives | parts.others) & (guided.all_scores <= limit)
        contrasts = [left_out(batch.all_scores, negatives | parts.positive)]
        if self.contrast_queries:
            contrast = query_to_query(batch)
            contrasts.append(left_out(contrast.scores, contrast.kept & (query_to_query(guided).scores <= limit)))
        if self.contrast_docs:
            contrast = doc_to_doc(batch, parts)
            kept = contrast.kept & parts.is_best & (doc_to_doc(guided, parts).scores <= limit)
            contrasts.append(left_out(contrast.scores, kept))
        log_normalizer = (torch.cat(contrasts, dim=1) / self.temperature).logsumexp(dim=1)
        return masked_mean(log_normalizer - positive / self.temperature, parts.has_positive)

    def _limit(self, positive: Float[Tensor, "queries 1"]) -> Float[Tensor, "queries 1"]:
        return positive - (self.margin if self.margin_strategy == "absolute" else positive.abs() * self.margin)

    def _guide(self, batch: LossInput) -> Embedded:
        """Return the guide's embeddings of a batch."""
        assert batch.texts is not None
        assert batch.embedded is not None
        model = self._model(batch.scores.device)
        queries = _encode(model, batch.texts.queries, "query", batch.scores.device)
        docs = _encode(model, batch.texts.docs, "doc", batch.scores.device)
        # What the trained model's embeddings are compared with is what the guide's are.
        is_gathered = batch.embedded.all_docs is not batch.embedded.docs
        rule = model.config
        return Embedded(
            queries,
            docs,
            gather_embeddings(queries) if is_gathered else queries,
            gather_embeddings(docs) if is_gathered else docs,
            lambda queries, docs: compare(
                queries,
                docs,
                rule.similarity_function,
                query_aggregation=rule.query_aggregation_function,
                doc_aggregation=rule.doc_aggregation_function,
            ),
        )

    def _model(self, device: torch.device) -> BiEncoderModel:
        if isinstance(self.guide, str):
            self.guide = BiEncoderModel.from_pretrained(self.guide, device=device)
        return self.guide


def _encode(model: BiEncoderModel, texts: Any, side: Side, device: torch.device) -> Any:
    """Embed texts, as a model does when it is not trained."""
    was_training = model.training
    model.eval()
    try:
        embeddings = model.encode_tokenized(model.tokenize(list(texts), side), side)
    finally:
        model.train(was_training)
    if model.form == "sparse":
        embeddings = embeddings.toarray()  # pyright: ignore[reportAttributeAccessIssue]
    tensors = to_tensors(embeddings)
    if isinstance(tensors, tuple):
        kind: Any = type(tensors)
        return kind(*(part.to(device) for part in tensors))
    return tensors.to(device)
