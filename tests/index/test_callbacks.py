import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

lightning = pytest.importorskip("lightning")
import torch  # noqa: E402
from scipy.sparse import csr_array  # noqa: E402

from lir_index import (  # noqa: E402
    FaissFlatIndexConfig,
    FaissSearchConfig,
    Index,
    IndexCallback,
    LirIndexError,
    SearchCallback,
    TorchDenseIndexConfig,
    build,
    callbacks,
)
from lir_index.contents import NOTHING, extended, joined  # noqa: E402
from lir_index.errors import (  # noqa: E402
    ArgumentError,
    EmbeddingsError,
    IndexExistsError,
    OtherModelError,
    PartsError,
    RunFileError,
)
from lir_index.parts import Parts  # noqa: E402

pytestmark = [
    # Of the tiny trainers of these tests: they load data in the process itself, and log nothing.
    pytest.mark.filterwarnings("ignore:The 'predict_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*`isinstance.treespec, LeafSpec.` is deprecated"),
]
VECTORS = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32)
IDS = [f"d{i:02}" for i in range(30)]


@dataclass
class Output:
    doc_ids: list | None = None
    doc_embeddings: object = None
    query_ids: list | None = None
    query_embeddings: object = None


class Encoder(lightning.LightningModule):
    """Takes a batch of numbers, and embeds each as a row of VECTORS."""

    def __init__(self, of="doc", stop_at=None, **metadata):
        super().__init__()
        self.of, self.stop_at, self.metadata = of, stop_at, metadata

    def predict_step(self, batch, batch_idx, dataloader_idx=0):
        if batch_idx == self.stop_at:
            raise KeyError("the power went out")
        ids = [IDS[i] for i in batch]
        return Output(**{f"{self.of}_ids": ids, f"{self.of}_embeddings": torch.tensor(VECTORS[batch.numpy()])})

    def index_metadata(self):
        return {"model": "m", "fingerprint": "f", "similarity": "dot", "dim": 5} | self.metadata


class Sparse(Encoder):
    def predict_step(self, batch, batch_idx, dataloader_idx=0):
        dense = super().predict_step(batch, batch_idx, dataloader_idx)
        return Output(dense.doc_ids, csr_array(dense.doc_embeddings.numpy()))


class Data(lightning.LightningDataModule):
    def __init__(self, *numbers, names=None, documents="vaswani"):
        super().__init__()
        self.numbers = numbers
        self.documents = documents
        if names is not None:
            self.names = names

    def predict_dataloader(self):
        loaders = [torch.utils.data.DataLoader(list(numbers), batch_size=4) for numbers in self.numbers]
        return loaders if len(loaders) > 1 else loaders[0]


def predict(callback, module, data):
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[callback],
    )
    trainer.predict(module, data, return_predictions=False)


@pytest.fixture
def index_dir(tmp_path):
    return tmp_path / "idx"


@pytest.fixture
def index(index_dir):
    predict(IndexCallback(index_dir), Encoder(), Data(range(30)))
    return Index.open(index_dir)


@pytest.fixture
def two_ranks(monkeypatch):
    """Runs a function for the trainer of each of two processes, here threads, and returns what they return."""
    meeting, told = threading.Barrier(2, timeout=60), [None, None]
    of_thread = threading.local()

    def gather(mine, world_size):
        told[of_thread.rank] = mine
        meeting.wait()
        both = list(told)
        meeting.wait()
        return both

    monkeypatch.setattr(callbacks, "_gather", gather)

    def run_one(work, rank):
        of_thread.rank = rank
        strategy = SimpleNamespace(barrier=lambda name: meeting.wait())
        return work(SimpleNamespace(global_rank=rank, world_size=2, is_global_zero=rank == 0, strategy=strategy))

    def run(work):
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda rank: run_one(work, rank), range(2)))

    return run


class TestIndexCallback:
    def test_builds_the_index_of_all_documents(self, index, make_index):
        expected = make_index(IDS, VECTORS, FaissFlatIndexConfig(similarity="dot"))
        assert index.manifest.files == expected.manifest.files

    def test_records_model_and_documents(self, index):
        assert index.metadata == {"model": "m", "fingerprint": "f", "documents": "vaswani", "rule": None}

    def test_takes_the_similarity_of_the_model(self, index_dir):
        predict(IndexCallback(index_dir, TorchDenseIndexConfig()), Encoder(similarity="cosine"), Data(range(5)))
        assert (Index.open(index_dir).kind, Index.open(index_dir).similarity) == ("torch-dense", "cosine")

    def test_removes_the_parts(self, index):
        assert sorted(path.name for path in index.path.iterdir()) == ["index.json", "segment-1", "verified.json"]

    def test_keeps_the_parts_if_asked_for_another_kind(self, index_dir, tmp_path):
        callback = IndexCallback(index_dir, keep_parts=True)
        predict(callback, Encoder(), Data(range(30)))
        assert len(build(callback.parts_dir, tmp_path / "other", TorchDenseIndexConfig())) == 30

    def test_does_not_go_on_from_parts_that_were_kept(self, index_dir):
        predict(IndexCallback(index_dir, keep_parts=True), Encoder(), Data(range(30)))
        again = IndexCallback(index_dir, overwrite=True)
        assert again.num_docs_done(0, 1) == 0
        predict(again, Encoder(fingerprint="g"), Data(range(7)))
        assert len(Index.open(index_dir)) == 7

    def test_an_interrupted_run_goes_on(self, index_dir, index, tmp_path):
        again = tmp_path / "again"
        with pytest.raises(KeyError, match="the power went out"):
            predict(IndexCallback(again), Encoder(stop_at=3), Data(range(30)))
        done = IndexCallback(again).num_docs_done(0, 1)
        assert done == 12
        predict(IndexCallback(again), Encoder(), Data(range(done, 30)))
        assert Index.open(again).manifest.files == index.manifest.files

    @pytest.mark.filterwarnings("ignore:Total length of `DataLoader` across ranks is zero")
    def test_a_run_interrupted_after_its_last_document_goes_on(self, index_dir, index, tmp_path, monkeypatch):
        again = tmp_path / "again"
        monkeypatch.setattr("lir_index.callbacks.build", Mock(side_effect=OSError("no space")))
        with pytest.raises(OSError, match="no space"):
            predict(IndexCallback(again), Encoder(), Data(range(30)))
        monkeypatch.undo()
        # The loader says that it is empty, and Lightning does not even start.
        predict(IndexCallback(again), Encoder(), Data(range(0)))
        assert Index.open(again).manifest.files == index.manifest.files

    def test_an_interrupted_run_of_another_model_is_refused(self, index_dir):
        with pytest.raises(KeyError):
            predict(IndexCallback(index_dir), Encoder(stop_at=3), Data(range(30)))
        with pytest.raises(PartsError, match="with a model of the fingerprint 'f', this run has 'g'"):
            predict(IndexCallback(index_dir), Encoder(fingerprint="g"), Data(range(30)))

    def test_an_interrupted_run_of_other_documents_is_refused(self, index_dir):
        with pytest.raises(KeyError):
            predict(IndexCallback(index_dir), Encoder(stop_at=3), Data(range(30)))
        with pytest.raises(PartsError, match="with the documents 'vaswani', this run has 'cranfield'"):
            predict(IndexCallback(index_dir), Encoder(), Data(range(30), documents="cranfield"))

    def test_an_index_that_exists_is_refused_at_once(self, index):
        with pytest.raises(IndexExistsError, match="There is an index in"):
            IndexCallback(index.path)

    def test_the_old_index_stays_while_the_new_one_is_made(self, index):
        with pytest.raises(KeyError):
            predict(IndexCallback(index.path, overwrite=True), Encoder(stop_at=3), Data(range(30)))
        Index.open(index.path).verify()

    def test_a_similarity_other_than_the_models_is_refused_before_encoding(self, index_dir):
        callback = IndexCallback(index_dir, FaissFlatIndexConfig(similarity="l2"))
        with pytest.raises(ArgumentError, match="has the similarity l2, and the model has dot"):
            predict(callback, Encoder(stop_at=0), Data(range(30)))

    def test_a_form_that_the_kind_does_not_take_is_refused_before_encoding(self, index_dir):
        with pytest.raises(
            EmbeddingsError, match="torch-dense is built from dense embeddings, not from sparse embeddings"
        ):
            predict(
                IndexCallback(index_dir, TorchDenseIndexConfig()), Encoder(form="sparse", stop_at=0), Data(range(30))
            )

    def test_without_a_config_the_form_decides_the_kind(self, index_dir):
        predict(IndexCallback(index_dir), Sparse(form="sparse"), Data(range(30)))
        assert Index.open(index_dir).kind == "sparse"

    def test_the_aggregation_of_the_model_is_kept(self, index_dir):
        predict(IndexCallback(index_dir), Encoder(query_aggregation="mean", doc_aggregation="sum"), Data(range(5)))
        space = Index.open(index_dir).manifest.space
        assert (space.query_aggregation, space.doc_aggregation) == ("mean", "sum")

    def test_queries_are_no_documents(self, index_dir):
        with pytest.raises(EmbeddingsError, match=r"An index is built from documents: .* this Output has none"):
            predict(IndexCallback(index_dir), Encoder("query"), Data(range(30)))

    def test_a_plain_module_will_do(self, index_dir):
        module = Encoder()
        module.index_metadata = None
        predict(IndexCallback(index_dir), module, torch.utils.data.DataLoader(list(range(30))))
        assert set(Index.open(index_dir).metadata.values()) == {None}

    def test_each_rank_writes_its_own_parts(self, index_dir):
        barriers = []
        ranks = [
            SimpleNamespace(
                global_rank=rank,
                world_size=2,
                is_global_zero=rank == 0,
                strategy=SimpleNamespace(barrier=barriers.append),
            )
            for rank in (1, 0)
        ]
        made = [IndexCallback(index_dir, keep_parts=True) for _ in ranks]
        for callback, trainer in zip(made, ranks, strict=True):
            callback.setup(trainer, Encoder(), "predict")
            callback.on_predict_start(trainer, Encoder())
            output = Output(IDS[trainer.global_rank :: 2], VECTORS[trainer.global_rank :: 2])
            callback.on_predict_batch_end(trainer, Encoder(), output, None, 0)
        for callback, trainer in zip(made, ranks, strict=True):
            callback.on_predict_end(trainer, Encoder())
        assert [doc_id for ids in Parts(index_dir / "parts").doc_ids() for doc_id in ids] == IDS[0::2] + IDS[1::2]
        assert len(barriers) == 6

    def test_parts_that_do_not_say_of_which_documents_they_are_do_not_count(self, index_dir, caplog):
        with pytest.raises(KeyError):
            predict(IndexCallback(index_dir), Encoder(stop_at=3), Data(range(30)))
        data = Data(range(30))
        loader = data.predict_dataloader
        data.predict_dataloader = lambda: (callback.resume_indexing(data.trainer, iter([b"a" * 16] * 30)), loader())[1]
        callback = IndexCallback(index_dir)
        predict(callback, Encoder(), data)
        assert len(Index.open(index_dir)) == 30
        assert f"The parts in '{index_dir}/parts' do not say of which documents they are." in caplog.text

    @pytest.mark.parametrize("changed", [False, True])
    def test_if_the_documents_of_one_rank_differ_all_ranks_begin_anew(self, index_dir, two_ranks, changed):
        def run(trainer, made, *, interrupted, digests):
            rank = trainer.global_rank
            callback, digests = made[rank], digests[rank]
            callback.setup(trainer, Encoder(), "predict")
            done = callback.resume_indexing(trainer, digests)
            callback.start_at(done)
            callback.on_predict_start(trainer, Encoder())
            places = range(rank, 30, 2)[done : 4 if interrupted else None]
            batch = SimpleNamespace(doc_ids=[IDS[i] for i in places], digests=digests[done : done + len(places)])
            callback.on_predict_batch_end(trainer, Encoder(), Output(batch.doc_ids, VECTORS[list(places)]), batch, 0)
            if interrupted:
                callback.on_exception(trainer, Encoder(), KeyError())
            else:
                callback.on_predict_end(trainer, Encoder())
            return done

        def run_both(**arguments):
            made = [IndexCallback(index_dir, keep_parts=True) for _ in range(2)]
            return two_ranks(lambda trainer: run(trainer, made, **arguments))

        digests = [[bytes([place]) * 16 for place in range(rank, 30, 2)] for rank in range(2)]
        assert run_both(interrupted=True, digests=digests) == [0, 0]
        if changed:
            digests[1][2] = bytes(16)
        done = run_both(interrupted=False, digests=digests)
        assert done == ([0, 0] if changed else [4, 4])
        index = Index.open(index_dir)
        assert (list(index.doc_ids), index.manifest.contents) == (
            IDS[0::2] + IDS[1::2],
            joined([extended(NOTHING, each) for each in digests]),
        )

    def test_does_nothing_in_another_stage(self, index_dir):
        IndexCallback(index_dir).setup(SimpleNamespace(), Encoder(), "fit")
        assert not index_dir.exists()


class TestSearchCallback:
    def test_runs_equal_a_direct_search(self, index):
        callback = SearchCallback(index.path, FaissSearchConfig(k=3))
        predict(callback, Encoder("query"), Data(range(10)))
        assert callback.runs == {0: index.search(VECTORS[:10], 3).to_run(IDS[:10])}

    def test_writes_the_run(self, index, tmp_path):
        callback = SearchCallback(index.path, FaissSearchConfig(k=2), run_path=tmp_path / "run.trec")
        predict(callback, Encoder("query"), Data(range(10)))
        lines = [line.split() for line in (tmp_path / "run.trec").read_text().splitlines()]
        found = {(query, doc, np.float32(score)) for query, _, doc, _, score, _ in lines}
        assert found == {(q, d, np.float32(s)) for q, docs in callback.runs[0].items() for d, s in docs.items()}

    def test_what_is_made_of_a_run_is_kept_and_written(self, index, tmp_path):
        callback = SearchCallback(
            index.path,
            FaissSearchConfig(k=3),
            run_path=tmp_path / "run.trec",
            aggregate=lambda run: {query: {"best": max(docs.values())} for query, docs in run.items()},
        )
        predict(callback, Encoder("query"), Data(range(4)))
        best = [max(scores) for scores in index.search(VECTORS[:4], 3).scores]
        assert [docs["best"] for docs in callback.runs[0].values()] == pytest.approx(best)
        written = [line.split() for line in (tmp_path / "run.trec").read_text().splitlines()]
        assert [(line[0], line[2]) for line in written] == [(query, "best") for query in IDS[:4]]

    def test_writes_one_file_for_each_of_several_datasets(self, index, tmp_path):
        callback = SearchCallback(index.path, run_path=tmp_path / "runs")
        predict(callback, Encoder("query"), Data(range(5), range(5, 9), names=["msmarco-passage/dev", "other"]))
        written = sorted(path.name for path in (tmp_path / "runs").iterdir())
        assert written == ["msmarco-passage-dev.trec", "other.trec"]
        assert list(callback.runs[1]) == IDS[5:9]

    def test_another_writer_is_given_the_name_and_the_run(self, index, tmp_path):
        written = {}
        callback = SearchCallback(
            index.path,
            run_path=tmp_path / "run.jsonl",
            write=lambda path, run, *, overwrite: written.update({path: (run, overwrite)}),
        )
        predict(callback, Encoder("query"), Data(range(4)))
        assert written == {tmp_path / "run.jsonl": (callback.runs[0], False)}

    def test_a_format_that_it_cannot_write_is_refused_before_encoding(self, index, tmp_path):
        callback = SearchCallback(index.path, run_path=tmp_path / "run.jsonl")
        with pytest.raises(RunFileError, match=r"run.jsonl' cannot be written: lir-index alone writes TREC"):
            predict(callback, Encoder("query", stop_at=0), Data([1]))

    def test_ids_with_spaces_are_refused_before_encoding(self, make_index, tmp_path):
        index = make_index(["a", "b c", "d"], VECTORS[:3], FaissFlatIndexConfig(similarity="dot"))
        callback = SearchCallback(index.path, run_path=tmp_path / "run.trec")
        with pytest.raises(RunFileError, match="The document id 'b c' cannot stand in a run file"):
            predict(callback, Encoder("query", stop_at=0), Data([1]))

    def test_the_run_has_the_order_of_the_dataset(self, index):
        data = Data([3, 1, 2])
        data.query_ids = lambda number: [IDS[1], IDS[2], IDS[3]]
        callback = SearchCallback(index.path)
        predict(callback, Encoder("query"), data)
        assert list(callback.runs[0]) == [IDS[1], IDS[2], IDS[3]]

    def test_a_documents_own_id_is_left_out_and_k_is_filled(self, index):
        callback = SearchCallback(index.path, FaissSearchConfig(k=3), ignore_identical_ids=True)
        predict(callback, Encoder("query"), Data(range(10)))
        for query_id, row in zip(IDS[:10], VECTORS, strict=False):
            found = index.search(row[None], 4).to_run([query_id])[query_id]
            expected = [doc_id for doc_id in found if doc_id != query_id][:3]
            assert list(callback.runs[0][query_id]) == expected

    def test_a_query_without_a_finite_embedding_is_named(self, index):
        class Broken(Encoder):
            def predict_step(self, batch, batch_idx, dataloader_idx=0):
                output = super().predict_step(batch, batch_idx)
                output.query_embeddings[1, 2] = float("nan")
                return output

        with pytest.raises(EmbeddingsError, match=r"The embedding of the query 'd05' holds the value nan, .* 'm'"):
            predict(SearchCallback(index.path), Broken("query"), Data([4, 5]))

    def test_takes_the_defaults_of_any_kind(self, index_dir):
        predict(IndexCallback(index_dir, TorchDenseIndexConfig()), Encoder(), Data(range(30)))
        callback = SearchCallback(index_dir)
        predict(callback, Encoder("query"), Data(range(2)))
        assert [len(docs) for docs in callback.runs[0].values()] == [10, 10]

    def test_a_run_that_exists_is_refused_at_once(self, index, tmp_path):
        (tmp_path / "run.trec").write_text("old")
        with pytest.raises(RunFileError, match=r"run.trec' exists already"):
            SearchCallback(index.path, run_path=tmp_path / "run.trec")

    def test_a_run_that_exists_in_a_folder_is_refused_before_encoding(self, index, tmp_path):
        (tmp_path / "a.trec").write_text("old")
        with pytest.raises(RunFileError, match=r"a.trec' exists already"):
            predict(SearchCallback(index.path, run_path=tmp_path), Encoder("query"), Data([1], names=["a"]))

    def test_one_file_is_not_enough_for_several_datasets(self, index, tmp_path):
        (tmp_path / "run").write_text("old")
        callback = SearchCallback(index.path, run_path=tmp_path / "run", overwrite=True)
        with pytest.raises(RunFileError, match="is a file, and 2 datasets need a folder"):
            predict(callback, Encoder("query"), Data([1], [2], names=["a", "b"]))

    @pytest.mark.parametrize(
        ("metadata", "error", "sentence"),
        [
            ({"dim": 768}, EmbeddingsError, r"of 5 dimensions, the model makes 768\. .* \(it names 'm'\)\?"),
            (
                {"fingerprint": "g", "model": "n"},
                OtherModelError,
                r"built with the model 'm' \(fingerprint f\), .* 'n'",
            ),
            ({"similarity": "cosine"}, OtherModelError, "compares by dot, and the model by cosine"),
        ],
    )
    def test_another_model_is_refused_before_encoding(self, index, metadata, error, sentence):
        with pytest.raises(error, match=sentence):
            predict(SearchCallback(index.path), Encoder("query", stop_at=0, **metadata), Data([1]))

    def test_a_fingerprint_of_an_older_lir_is_not_compared_and_that_is_said(self, index, caplog):
        predict(SearchCallback(index.path), Encoder("query", fingerprint="2:g"), Data([1]))
        assert "was built by an older lir, whose fingerprint of 'm' does not say" in caplog.text
        with pytest.raises(OtherModelError, match="built with the model 'm'"):
            predict(SearchCallback(index.path), Encoder("query", fingerprint="2:g", model="n"), Data([1]))

    def test_another_model_is_allowed_if_asked(self, index):
        callback = SearchCallback(index.path, allow_other_model=True)
        predict(callback, Encoder("query", fingerprint="g", similarity="cosine"), Data([1]))
        assert list(callback.runs[0]) == ["d01"]

    def test_an_index_that_is_missing_is_named(self, tmp_path):
        with pytest.raises(LirIndexError, match="There is no index in"):
            predict(SearchCallback(tmp_path / "none"), Encoder("query", stop_at=0), Data([1]))

    def test_a_query_id_twice_is_refused(self, index):
        with pytest.raises(RunFileError, match="The query id 'd01' occurs twice"):
            predict(SearchCallback(index.path), Encoder("query"), Data([1, 2, 3, 4, 1]))

    def test_documents_are_no_queries(self, index):
        with pytest.raises(EmbeddingsError, match=r"An index is searched with queries: .* query_ids"):
            predict(SearchCallback(index.path), Encoder("doc"), Data([1]))

    def test_runs_of_all_ranks_come_together_in_the_order_of_the_dataset(self, index, monkeypatch):
        of_rank = [{0: {"q0": {"a": 1.0}, "q2": {"a": 2.0}, "q4": {}}}, {0: {"q1": {"b": 1.0}, "q3": {}}}]
        monkeypatch.setattr(callbacks, "_gather", lambda runs, world_size: of_rank)
        callback = SearchCallback(index.path)
        callback.on_predict_end(SimpleNamespace(world_size=2, is_global_zero=False), Encoder())
        assert list(callback.runs[0]) == ["q0", "q1", "q2", "q3", "q4"]


class TestYaml:
    @pytest.mark.parametrize("short", [False, True])
    def test_configs_are_given_by_class_path(self, tmp_path, short):
        jsonargparse = pytest.importorskip("jsonargparse")
        parser = jsonargparse.ArgumentParser(exit_on_error=False)
        parser.add_argument("--callback", type=IndexCallback)
        config = "TorchDenseIndexConfig" if short else "lir_index.TorchDenseIndexConfig"
        given = {
            "class_path": "lir_index.IndexCallback",
            "init_args": {
                "index_dir": str(tmp_path / "i"),
                "index_config": {"class_path": config, "init_args": {"similarity": "l2"}},
            },
        }
        made = parser.instantiate(parser.parse_object({"callback": given})).callback
        assert made.index_config == TorchDenseIndexConfig(similarity="l2")
