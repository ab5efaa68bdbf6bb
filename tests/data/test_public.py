"""What `import lir_data` gives."""

import subprocess
import sys
import types

import lir_data


def test_all_is_sorted_and_can_be_imported() -> None:
    assert lir_data.__all__ == sorted(lir_data.__all__)
    assert all(hasattr(lir_data, name) for name in lir_data.__all__)


def test_all_names_everything_that_is_public() -> None:
    public = {
        name
        for name, value in vars(lir_data).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(lir_data.__all__)


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'lightning', 'faiss', 'ir_datasets', 'ir_measures', 'pandas'}"
    code = f"import sys, lir_data; assert not {heavy} & set(sys.modules)"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr == ""
