"""What happens to the scores of a re-ranking."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, get_args

from lightning import Callback, LightningModule, Trainer

from lir_data import write_run
from lir_data.arguments import check_choice
from lir_data.passages import Aggregation
from lir_data.trec import check_run_output
from lir_train.batches import ScoredRankings
from lir_train.errors import LirTrainError, NotFiniteError
from lir_train.gather import merged_runs
from lir_train.module import add_rankings, of_documents
from lir_train.named_arguments import NamedArguments


class ReRankCallback(Callback, NamedArguments):
    """Collects the scores of a re-ranking, and writes them as runs.

    Args:
        run_path: Where the run goes, in the format that its name asks for (see `lir_data.write_run`); a folder, with one
            file for each dataset, if there are several datasets. None writes none.
        overwrite: Whether an existing file is replaced.
        passages: How passages' scores become their documents', before anything is written or measured: ``max``, ``first``,
            ``mean``, ``sum``, or ``none`` for a run of passages (see `lir_data.aggregate_passages`). None for ``max`` where
            the dataset cuts its documents (its ``passage_length``), and ``none`` where it does not.

    Raises:
        ArgumentError: If there is no such aggregation.
    """

    elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(("save_dir", "run_name"), "Did you mean 'run_path'?")
    stage = "re_rank"

    def __init__(
        self, run_path: str | Path | None = None, overwrite: bool = False, passages: Aggregation | None = None
    ) -> None:
        check_choice("ReRankCallback", "passages", passages, (*get_args(Aggregation), None))
        self.passages: Aggregation | None = passages
        self.run_path = None if run_path is None else Path(run_path)
        self.overwrite = overwrite
        #: The re-ranked runs, by the position of their dataset.
        self.runs: dict[int, dict[str, dict[str, float]]] = {}
        self._paths: list[Path] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse files that could not be written, before any scoring."""
        del pl_module
        self.runs = {}
        if stage != "predict":
            return
        self._paths = self.run_paths(getattr(trainer, "datamodule").names)  # noqa: B009 - unknown to a type checker
        for path in self._paths:
            check_run_output(path, overwrite=self.overwrite)

    def run_paths(self, names: Sequence[str]) -> list[Path]:
        """Return where the run of each dataset is written; nowhere without a ``run_path``.

        Args:
            names: The datasets' names.

        Raises:
            LirTrainError: If there is one file for several datasets, or two would have the same.
        """
        if self.run_path is None:
            return []
        if len(names) == 1 and not self.run_path.is_dir():
            return [self.run_path]
        if self.run_path.is_file():
            raise LirTrainError(f"'{self.run_path}' is a file, and {len(names)} datasets need a folder for their runs.")
        files = [f"{name.replace('/', '-')}.trec" for name in names]
        if len(set(files)) < len(files):
            raise LirTrainError(f"Two datasets would write the same run file: {', '.join(files)}.")
        return [self.run_path / file for file in files]

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the scores of a batch."""
        del trainer, batch, batch_idx
        if isinstance(outputs, ScoredRankings):
            _check_finite(outputs, getattr(pl_module, "model").name)  # noqa: B009 - unknown to a type checker
            add_rankings(self.runs.setdefault(dataloader_idx, {}), outputs)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the ranks' scores together, make those of passages their documents', and write them."""
        del pl_module
        data: Any = getattr(trainer, "datamodule")  # noqa: B009 - unknown to a type checker
        runs = {
            place: {query_id: run[query_id] for query_id in data.query_ids(place) if query_id in run}
            for place, run in merged_runs(self.runs).items()
        }
        self.runs = of_documents(runs, data.inference_datasets, self.passages)
        if trainer.is_global_zero:
            for place, path in enumerate(self._paths):
                write_run(path, self.runs.get(place, {}), overwrite=self.overwrite)


def _check_finite(rankings: ScoredRankings, model: str) -> None:
    """Refuse scores by which nothing can be ranked.

    Raises:
        NotFiniteError: If one is NaN or infinite.
    """
    for query_id, doc_ids, scores in zip(rankings.query_ids, rankings.doc_ids, rankings.scores, strict=True):
        bad = (~scores.isfinite()).nonzero().flatten().tolist()
        if bad:
            raise NotFiniteError(
                f"The model '{model}' gives the query '{query_id}' and the document '{doc_ids[bad[0]]}' the score "
                f"{float(scores[bad[0]])}, by which nothing can be ranked.",
                hint="half precision overflows in some models: try bfloat16 or float32",
            )
