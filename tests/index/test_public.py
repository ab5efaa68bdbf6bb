import subprocess
import sys

import pytest

import lir_index


def run(code, *options):
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=False)


def test_all_is_sorted_and_can_be_imported():
    pytest.importorskip("lightning")
    assert lir_index.__all__ == sorted(lir_index.__all__)
    assert all(hasattr(lir_index, name) for name in lir_index.__all__)


def test_all_names_everything_that_is_public():
    import types

    public = {
        name
        for name, value in vars(lir_index).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name not in ("TYPE_CHECKING", "Any")
    }
    # The name of the module lir_index.build is the function's, and MissingExtraError is for __getattr__ alone.
    assert public - {"MissingExtraError"} == set(lir_index.__all__) - {"IndexCallback", "SearchCallback"}


def test_importing_it_imports_nothing_heavy():
    heavy = "{'faiss', 'torch', 'lightning', 'transformers', 'scipy', 'numba'}"
    assert run(f"import sys, lir_index; assert not {heavy} & set(sys.modules)", "-W", "error").stderr == ""


def test_a_dense_index_is_built_and_searched_without_torch(tmp_path):
    code = f"""
import sys
sys.modules['torch'] = None
import numpy as np, lir_index
with lir_index.PartWriter({str(tmp_path / "parts")!r}) as writer:
    writer.append(['a', 'b'], np.eye(2))
for config in (lir_index.TorchDenseIndexConfig(), lir_index.FaissFlatIndexConfig()):
    index = lir_index.build({str(tmp_path / "parts")!r}, {str(tmp_path)!r} + config.kind, config)
    print(index.search(np.eye(2), 1).doc_ids)
try:
    lir_index.Index.open({str(tmp_path)!r} + 'torch-dense', lir_index.TorchDenseSearchConfig(device='cuda'))
except lir_index.LirIndexError as error:
    print(error, error.hint)
"""
    assert run(code).stdout == (
        "[['a'], ['b']]\n[['a'], ['b']]\n"
        "Searching on 'cuda' needs torch, which is not installed. pip install 'lir-index[torch]'\n"
    )


def test_a_callback_without_lightning_says_what_to_install():
    code = """
import sys
sys.modules['lightning'] = None
import lir_index
try:
    lir_index.IndexCallback
except lir_index.LirIndexError as error:
    print(error, error.hint)
"""
    assert run(code).stdout == (
        "IndexCallback needs lightning, which is not installed. pip install 'lir-index[lightning]'\n"
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'lir_index' has no attribute 'Indx'"):
        _ = lir_index.Indx
