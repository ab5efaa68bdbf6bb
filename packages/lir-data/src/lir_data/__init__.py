"""Documents, queries, tuples, runs and evaluation; no torch.

>>> from lir_data import DocDataset
>>> next(iter(DocDataset("vaswani")))  # doctest: +SKIP
DocSample(doc_id='1', doc='compact memories have flexible capacities ...')
"""

from lir_data.documents import DocDataset, Documents, open_documents
from lir_data.errors import LirDataError
from lir_data.evaluation import evaluate
from lir_data.fusion import reciprocal_rank_fusion, weighted_fusion
from lir_data.measures import parse_measures
from lir_data.mining import mine_negatives
from lir_data.mixing import MixedDataset, mix
from lir_data.passages import aggregate_passages, split_passages
from lir_data.queries import QueryDataset, open_queries
from lir_data.register import register_dataset
from lir_data.retrieval import RetrievalDataset
from lir_data.runs import RunDataset
from lir_data.samples import DocSample, QuerySample, RankSample
from lir_data.selection import cut_run, filter_run
from lir_data.significance import Comparison, compare_runs
from lir_data.sources.run_metadata import read_run_metadata
from lir_data.sources.training_files import TrainingTuple
from lir_data.trec import Qrels, Run, SubtopicQrels, read_qrels, read_run, read_subtopic_qrels, write_qrels, write_run
from lir_data.tuple_writing import write_tuples
from lir_data.tuples import TupleDataset

__all__ = [
    "Comparison",
    "DocDataset",
    "DocSample",
    "Documents",
    "LirDataError",
    "MixedDataset",
    "Qrels",
    "QueryDataset",
    "QuerySample",
    "RankSample",
    "RetrievalDataset",
    "Run",
    "RunDataset",
    "SubtopicQrels",
    "TrainingTuple",
    "TupleDataset",
    "aggregate_passages",
    "compare_runs",
    "cut_run",
    "evaluate",
    "filter_run",
    "mine_negatives",
    "mix",
    "open_documents",
    "open_queries",
    "parse_measures",
    "read_qrels",
    "read_run",
    "read_run_metadata",
    "read_subtopic_qrels",
    "reciprocal_rank_fusion",
    "register_dataset",
    "split_passages",
    "weighted_fusion",
    "write_qrels",
    "write_run",
    "write_tuples",
]
