"""Configs: checked, and the same after JSON."""

import json
import subprocess
import sys
from typing import Any

import pytest

import lir_models
from lir_models import BiEncoderConfig, ColConfig, CrossEncoderConfig, DenseLayer, DprConfig, MonoConfig, SpladeConfig
from lir_models.errors import ConfigError


@pytest.mark.parametrize(
    "config",
    [
        BiEncoderConfig(query_pooling_strategy=("first", "mean"), doc_length=None),
        DprConfig(projection=(DenseLayer(in_features=4, out_features=2, activation="tanh"),), query_prompt="q: "),
        MonoConfig(scoring_strategy="mono", max_length=128),
    ],
)
def test_json_keeps_everything(config: BiEncoderConfig | CrossEncoderConfig) -> None:
    assert type(config).from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"similarity_function": "cosin"}, "Did you mean 'cosine'"),
        ({"query_pooling_strategy": "men"}, "Did you mean 'mean'"),
        ({"query_expansion": True}, "makes one vector a text"),
        ({"query_mask_scoring_tokens": "punctuation"}, "no token takes part in scoring"),
        ({"attend_to_doc_expanded_tokens": True}, "doc_expansion is not"),
        ({"projection": "mlm", "embedding_dim": 8}, "the vocabulary is the width"),
        ({"projection": "mlm", "query_pooling_strategy": None}, "set a pooling strategy"),
        ({"projection": "mlm", "truncate_dim": 8}, "max_active_dims"),
        ({"family": "SpladeConfig", "query_weighting": "static"}, "Set query_expansion to False"),
        ({"family": "SpladeConfig", "query_weighting": "dynamic"}, "'static'"),
        ({"family": "ColConfig", "doc_pooling_strategy": "mean"}, "both are None"),
        ({"family": "ColConfig", "query_expansion": True, "query_length": None}, "set a length"),
        ({"family": "ColConfig", "pool_factor": 0}, "at least 1"),
        ({"family": "ColConfig", "query_expansion_length": 8}, "query_expansion is not set"),
        ({"family": "CoilConfig", "similarity_function": "l2"}, "compares by 'dot'"),
        ({"family": "CoilConfig", "embedding_dim": 8}, "layers of its own"),
        ({"family": "UniCoilConfig", "doc_pooling_strategy": "mean"}, "'max', 'sum' or 'last'"),
        ({"family": "MvrConfig", "num_viewer_tokens": 0}, "at least 1"),
        ({"projection": None, "embedding_dim": 8}, "nothing makes that width"),
        ({"doc_length": 0}, "at least 1"),
        ({"query_lenght": 3}, "Did you mean 'query_length'"),
        ({"family": "DprConfg"}, "Did you mean 'DprConfig'"),
    ],
)
def test_a_contradiction_is_a_sentence(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BiEncoderConfig.from_json(values)


def test_the_public_names_can_be_imported() -> None:
    assert sorted(lir_models.__all__) == lir_models.__all__
    assert all(hasattr(lir_models, name) for name in lir_models.__all__)


def test_the_package_imports_no_torch() -> None:
    code = "import sys, lir_models; assert not {'torch', 'transformers'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("family", "name", "sentence"),
    [
        (BiEncoderConfig, "similarty_function", "Did you mean 'similarity_function'?"),
        (ColConfig, "pooling_strategy", "Did you mean 'query_pooling_strategy' and 'doc_pooling_strategy'?"),
        (DprConfig, "normalization", "Did you mean 'normalization_strategy'?"),
        (SpladeConfig, "adapter_config", "An adapter is given to the BiEncoderModule, as adapter."),
        (MonoConfig, "pooling_strateg", "Did you mean 'pooling_strategy'?"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(family: Any, name: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        family(**{name: "x"})
    assert str(told.value) == f"{family.__name__} has no argument '{name}'. {sentence}"
