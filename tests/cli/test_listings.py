"""What readers of the paper, and users of Lightning IR, try first: it runs with other names alone, or one sentence names the change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch.optim import AdamW

from lir_data import DocDataset, QueryDataset, RunDataset, TupleDataset, read_run, register_dataset
from lir_index import FaissFlatIndexConfig, FaissSearchConfig, IndexCallback, SearchCallback, TorchDenseSearchConfig
from lir_models import BiEncoderConfig, BiEncoderModel, CrossEncoderModel, DprConfig
from lir_models.errors import ConfigError
from lir_train import BiEncoderModule, CrossEncoderModule, LightningIRDataModule, LightningIRTrainer, RankNet

Lir = Callable[..., Any]


@pytest.fixture
def own(collection: Path) -> Path:
    """The tiny collection as the id 'own-listings/test', which stands for MS MARCO and TREC Deep Learning."""
    parts = (("docs", "docs.tsv"), ("queries", "queries.tsv"), ("qrels", "qrels.txt"), ("scoreddocs", "first.trec"))
    name = f"own-listings-{collection.parent.name}-{collection.name}/test".replace("_", "")
    register_dataset(name, **{part: str(collection / file) for part, file in parts})
    return Path(name)


def written(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


class TestThePapersPython:
    """Sections 3.1 to 3.3."""

    def test_models(self, backbone: Path, classifier: Path) -> None:
        assert BiEncoderModel.from_pretrained(str(backbone)).form == "dense"
        assert isinstance(CrossEncoderModel.from_pretrained(str(classifier)), CrossEncoderModel)

    def test_the_config_of_colbert_names_its_misprint(self) -> None:
        with pytest.raises(
            ConfigError, match=r"no argument 'similarty_function'\. Did you mean 'similarity_function'\?"
        ):
            BiEncoderConfig(similarty_function="dot", query_pooling_strategy=None)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]

    def test_scores_are_printed(self, backbone: Path, classifier: Path) -> None:
        for module in (BiEncoderModule(str(backbone)), CrossEncoderModule(str(classifier))):
            assert module.score("red", ["red red", "blue"]).scores.numpy().round(2).shape == (2,)

    def test_datasets(self, own: Path) -> None:
        assert next(iter(DocDataset(str(own)))).doc_id == "d0"
        assert next(iter(QueryDataset(str(own)))).query_id == "q0"
        assert len(RunDataset(str(own), depth=3)[0].doc_ids) == 3

    def test_fit_index_and_search(self, own: Path, backbone: Path) -> None:
        module = BiEncoderModule(str(backbone), loss_functions=[RankNet()], evaluation_metrics=["nDCG@10"])
        data_module = LightningIRDataModule(
            module=module, train_dataset=TupleDataset("triples.tsv"), inference_datasets=[RunDataset(str(own))]
        )
        LightningIRTrainer(max_steps=1, logger=False, enable_checkpointing=False).fit(module, data_module)

        data_module = LightningIRDataModule(inference_datasets=[DocDataset(str(own))])
        index_callback = IndexCallback(index_dir="index", index_config=FaissFlatIndexConfig())
        LightningIRTrainer(callbacks=[index_callback], logger=False).index(module, data_module)

        search_callback = SearchCallback("index", FaissSearchConfig(k=10))
        data_module = LightningIRDataModule(inference_datasets=[QueryDataset(str(own))])
        metrics = LightningIRTrainer(callbacks=[search_callback], logger=False).search(module, data_module)
        assert list(metrics) == [f"{own}/nDCG@10"]


PAPERS_INDEX = """
trainer:
  callbacks:
  - class_path: IndexCallback
    init_args: {index_dir: index, index_config: {class_path: FaissFlatIndexConfig}}
model: {class_path: BiEncoderModule, init_args: {model_name_or_path: MODEL}}
data:
  class_path: LightningIRDataModule
  init_args: {inference_datasets: [{class_path: DocDataset, init_args: {doc_dataset: OWN}}]}
"""
PAPERS_TRAIN = """
trainer: {max_steps: 1}
model:
  class_path: BiEncoderModule
  init_args: {model_name_or_path: MODEL, config: {class_path: BiEncoderConfig}}
data:
  class_path: LightningIRDataModule
  init_args:
    train_dataset: {class_path: TupleDataset, init_args: {tuples_dataset: triples.tsv}}
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1e-5}}
"""
PAPERS_RE_RANK = """
trainer: {logger: false}
model: {class_path: BiEncoderModule, init_args: {model_name_or_path: MODEL, evaluation_metrics: [nDCG@10]}}
data:
  class_path: LightningIRDataModule
  init_args: {inference_datasets: [{class_path: RunDataset, init_args: {run_path_or_id: OWN}}]}
"""


def named(text: str, backbone: Path, own: Path) -> str:
    return text.replace("MODEL", str(backbone)).replace("OWN", str(own))


class TestThePapersFiles:
    """Sections 3.4 and 4."""

    def test_train_yaml_lacks_a_loss_and_an_output(self, lir: Lir, own: Path, backbone: Path) -> None:
        config = written("train.yaml", named(PAPERS_TRAIN, backbone, own))
        assert (
            "--output is missing, and without it the trained model would be lost." in lir("fit", "--config", config).err
        )
        told = lir("fit", "--config", config, "--output", "o")
        assert "There is no loss to fit by; name some as loss_functions" in told.err
        done = lir("fit", "--config", config, "--output", "o", "--model.loss_functions+", "RankNet")
        assert done.code == 0, done.err

    def test_index_yaml_is_taken_as_it_is(self, lir: Lir, own: Path, backbone: Path) -> None:
        done = lir("index", "--config", written("index.yaml", named(PAPERS_INDEX, backbone, own)))
        assert (done.code, Path("index/index.json").is_file()) == (0, True), done.err

    def test_re_rank_yaml_is_printed_with_the_wrong_command(self, lir: Lir, own: Path, backbone: Path) -> None:
        config = written("re-rank.yaml", named(PAPERS_RE_RANK, backbone, own))
        told = lir("index", "--config", config)
        error, hint = told.err.splitlines()
        assert error.startswith(
            "Error: This configuration re-ranks: of its inference_datasets each is a RunDataset, and"
        )
        assert hint == "hint: lir rerank --config ..."
        done = lir("re_rank", "--config", config)
        assert (done.code, done.out.splitlines()[1].split("\t")[0]) == (0, f"{own}/nDCG@10"), done.err


FINE_TUNE = """
trainer: {max_steps: 1, accelerator: cpu}
model:
  class_path: lightning_ir.BiEncoderModule
  init_args:
    model_name_or_path: MODEL
    config: {class_path: lightning_ir.models.DprConfig}
    loss_functions:
    - lightning_ir.RankNet
data:
  class_path: lightning_ir.LightningIRDataModule
  init_args:
    train_dataset: {class_path: lightning_ir.TupleDataset, init_args: {tuples_dataset: triples.tsv}}
    train_batch_size: 4
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.001}}
"""
INDEX = """
trainer:
  logger: false
  callbacks:
  - class_path: lightning_ir.IndexCallback
    init_args: {index_dir: ./idx, index_config: {class_path: lightning_ir.TorchDenseIndexConfig}}
model: {class_path: lightning_ir.BiEncoderModule, init_args: {model_name_or_path: MODEL}}
data:
  class_path: lightning_ir.LightningIRDataModule
  init_args:
    inference_datasets: [{class_path: lightning_ir.DocDataset, init_args: {doc_dataset: OWN}}]
    inference_batch_size: 256
"""
SEARCH = """
trainer:
  logger: false
  callbacks:
  - class_path: lightning_ir.SearchCallback
    init_args:
      index_dir: ./idx
      search_config: {class_path: lightning_ir.TorchDenseSearchConfig, init_args: {k: 5}}
      save_dir: ./runs/
model:
  class_path: lightning_ir.BiEncoderModule
  init_args: {model_name_or_path: MODEL, evaluation_metrics: [nDCG@10]}
data:
  class_path: lightning_ir.LightningIRDataModule
  init_args: {inference_datasets: [{class_path: lightning_ir.QueryDataset, init_args: {query_dataset: OWN}}]}
"""
RE_RANK = """
trainer:
  logger: false
  callbacks: [{class_path: lightning_ir.ReRankCallback, init_args: {save_dir: ./re-ranked}}]
model:
  class_path: lightning_ir.CrossEncoderModule
  init_args: {model_name_or_path: MODEL, evaluation_metrics: [nDCG@10]}
data:
  class_path: lightning_ir.LightningIRDataModule
  init_args:
    inference_datasets: [{class_path: lightning_ir.RunDataset, init_args: {run_path_or_id: RUN}}]
    inference_batch_size: 4
"""


class TestLightningIRsExamples:
    """Its configs/examples, and the scripts beside them."""

    def test_fine_tune_yaml(self, lir: Lir, own: Path, backbone: Path) -> None:
        done = lir("fit", "--config", written("f.yaml", named(FINE_TUNE, backbone, own)), "--output", "o")
        assert done.code == 0, done.err

    def test_index_search_and_re_rank_yaml(self, lir: Lir, own: Path, backbone: Path, classifier: Path) -> None:
        done = lir("index", "--config", written("i.yaml", named(INDEX, backbone, own)))
        assert done.code == 0, done.err

        told = lir("search", "--config", written("s.yaml", named(SEARCH, backbone, own)))
        assert "SearchCallback has no argument 'save_dir'. Did you mean 'run_path'?" in told.err
        run = f"{str(own).replace('/', '-')}.run"
        changed = named(SEARCH, backbone, own).replace("save_dir: ./runs/", f"run_path: {run}")
        done = lir("search", "--config", written("s.yaml", changed))
        assert done.code == 0, done.err
        assert len(read_run(run)["q0"]) == 5

        # Its runs are named after their dataset, and so the texts are found.
        text = RE_RANK.replace("RUN", run)
        told = lir("re_rank", "--config", written("r.yaml", named(text, classifier, own)))
        assert "ReRankCallback has no argument 'save_dir'. Did you mean 'run_path'?" in told.err
        done = lir(
            "re_rank", "--config", written("r.yaml", named(text.replace("save_dir", "run_path"), classifier, own))
        )
        assert done.code == 0, done.err

    def test_search_py_and_adapters_py_name_what_to_change(self) -> None:
        with pytest.raises(Exception, match=r"SearchCallback has no argument 'save_dir'\. Did you mean 'run_path'\?"):
            SearchCallback(index_dir="idx", search_config=TorchDenseSearchConfig(k=100), save_dir="./runs")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        with pytest.raises(ConfigError, match="An adapter is given to the BiEncoderModule, as adapter"):
            DprConfig(use_adapter=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]

    def test_fine_tune_py(self, own: Path, backbone: Path) -> None:
        module = BiEncoderModule(model_name_or_path=str(backbone), config=DprConfig(), loss_functions=[RankNet()])
        module.set_optimizer(AdamW, lr=1e-5)
        data = LightningIRDataModule(train_dataset=TupleDataset("triples.tsv"), train_batch_size=4)
        LightningIRTrainer(max_steps=1, logger=False, enable_checkpointing=False).fit(module, data)

    @pytest.mark.parametrize(
        ("package", "name", "sentence"),
        [
            (
                "lir_index",
                "FaissFlatIndexer",
                "lir_index has no FaissFlatIndexer, and needs none: IndexCallback builds",
            ),
            ("lir_index", "TorchDenseSearcher", "lir_index has no TorchDenseSearcher, and needs none: SearchCallback"),
            ("lir_models", "DprModel", "lir_models has no DprModel: BiEncoderModel makes the model of any config."),
            ("lir_models", "BiEncoderTokenizer", "lir_models has no BiEncoderTokenizer: a model brings its tokenizer."),
            ("lir_train", "RankCallback", "lir_train has no RankCallback: it is ReRankCallback to re-rank, and"),
            ("lir_train", "RegisterLocalDatasetCallback", "lir_data.register_dataset makes local files an id"),
        ],
    )
    def test_a_name_that_is_written_otherwise_says_so(self, package: str, name: str, sentence: str) -> None:
        with pytest.raises(ImportError, match=sentence):
            exec(f"from {package} import {name}", {})


# Its small files, one for each part of a configuration.
PARTS = {
    "finetune": (
        "seed_everything: 0\ntrainer: {accelerator: cpu, precision: bf16-mixed, logger: false, max_epochs: null, max_steps: 2, "
        "val_check_interval: 2, check_val_every_n_epoch: null, gradient_clip_val: 1, callbacks: [{class_path: ModelCheckpoint, "
        "init_args: {dirpath: kept, save_on_train_epoch_end: false, save_top_k: 1, every_n_epochs: 1}}]}\n"
    ),
    "fine-tune-msmarco": (
        "data: {class_path: LightningIRDataModule, init_args: {train_batch_size: 4, train_dataset: {class_path: TupleDataset, "
        "init_args: {tuples_dataset: triples.tsv}}}}\n"
    ),
    "colbert": (
        "model: {class_path: BiEncoderModule, init_args: {model_name_or_path: MODEL, config: {class_path: ColConfig, init_args: "
        "{similarity_function: dot, query_expansion: true, query_length: 8, doc_length: 16, normalization: l2, "
        "add_marker_tokens: true, embedding_dim: 8, projection: linear_no_bias}}, loss_functions: [{class_path: RankNet}]}}\n"
    ),
    "optimizer": (
        "optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.001, betas: [0.9, 0.999], eps: 1.0e-08, weight_decay: 0.01, "
        "amsgrad: false, maximize: false, foreach: null, capturable: false, differentiable: false, fused: null}}\n"
    ),
    "inference": (
        "seed_everything: 0\ntrainer: {accelerator: cpu, strategy: auto, devices: auto, num_nodes: 1, precision: bf16-mixed, "
        "logger: false, enable_checkpointing: false}\n"
    ),
    "re-rank-trec-dl": (
        "data: {class_path: LightningIRDataModule, init_args: {inference_batch_size: 4, inference_datasets: [{class_path: "
        "RunDataset, init_args: {run_path_or_id: OWN, depth: 1000, sample_size: 1000, sampling_strategy: top}}]}}\n"
    ),
    "re-rank": "trainer: {callbacks+: [{class_path: ReRankCallback, init_args: {run_path: out.trec}}]}\n",
    "rank": "trainer: {callbacks+: [{class_path: RankCallback}]}\n",
    "monoelectra": "model: {class_path: CrossEncoderModule, init_args: {model_name_or_path: MODEL}}\n",
    "index-faiss-ivf": (
        "trainer: {callbacks+: [{class_path: IndexCallback, init_args: {index_dir: ivf, index_config: {class_path: "
        "FaissIVFIndexConfig, init_args: {num_centroids: 2, ef_construction: 256}}}}]}\n"
    ),
    "index-msmarco": (
        "data: {class_path: LightningIRDataModule, init_args: {inference_datasets: [{class_path: DocDataset, init_args: "
        "{doc_dataset: OWN}}]}}\n"
    ),
    "bi-encoder": "model: {class_path: BiEncoderModule, init_args: {model_name_or_path: MODEL}}\n",
}  # fmt: skip


class TestLightningIRsParts:
    """Its configs/, of which several make one configuration."""

    @staticmethod
    def given(names: str, model: Path, own: Path) -> list[str]:
        return [
            word
            for name in names.split()
            for word in ("--config", written(f"{name}.yaml", named(PARTS[name], model, own)))
        ]

    def test_fine_tuning(self, lir: Lir, own: Path, backbone: Path) -> None:
        parts = self.given("finetune fine-tune-msmarco colbert optimizer", backbone, own)
        told = lir("fit", *parts, "--output", "o")
        assert "ColConfig has no argument 'normalization'. Did you mean 'normalization_strategy'?" in told.err
        written("colbert.yaml", Path("colbert.yaml").read_text().replace("normalization:", "normalization_strategy:"))
        done = lir("fit", *parts, "--output", "o")
        assert done.code == 0, done.err

    def test_re_ranking_appends_its_callback(self, lir: Lir, own: Path, classifier: Path) -> None:
        parts = self.given("inference re-rank-trec-dl monoelectra re-rank", classifier, own)
        done = lir("re_rank", *parts, "-m", "nDCG@10")
        assert done.code == 0, done.err
        assert len(read_run("out.trec")) == 10

    def test_an_old_callback_is_named(self, lir: Lir, own: Path, classifier: Path) -> None:
        told = lir("re_rank", *self.given("inference rank re-rank-trec-dl monoelectra", classifier, own))
        assert "trainer.callbacks.0: lir_train has no RankCallback: it is ReRankCallback to re-rank, and" in told.err

    def test_indexing(self, lir: Lir, own: Path, backbone: Path) -> None:
        parts = self.given("inference index-faiss-ivf index-msmarco bi-encoder", backbone, own)
        told = lir("index", *parts)
        assert "FaissIVFIndexConfig has no argument 'ef_construction'." in told.err
        written("index-faiss-ivf.yaml", Path("index-faiss-ivf.yaml").read_text().replace(", ef_construction: 256", ""))
        done = lir("index", *parts)
        assert done.code == 0, done.err


def test_what_is_appended_on_the_command_line_comes_last(lir: Lir, own: Path, backbone: Path) -> None:
    config = written("f.yaml", named(FINE_TUNE, backbone, own))
    done = lir(
        "fit", "--config", config, "--output", "o", "--model.loss_functions+", "{class_path: InfoNCE, weight: 0.5}",
        "--trainer.callbacks+=LearningRateMonitor", "--trainer.callbacks.logging_interval", "step", "--trainer.callbacks=[]",
    )  # fmt: skip
    assert done.code == 0, done.err
    settings = yaml.safe_load(Path("o/train.yaml").read_text())
    assert settings["model"]["init_args"]["loss_functions"] == [
        "lightning_ir.RankNet",
        {"class_path": "InfoNCE", "weight": 0.5},
    ]
    assert settings["trainer"]["callbacks"] == []
