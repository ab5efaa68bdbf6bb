"""The demo's collection: real text, one relevant document a query."""

from lir_cli.docstrings import standard_library


def test_a_few_thousand_documents_without_their_first_lines() -> None:
    items = standard_library()
    assert 1500 < len(items) < 6000
    assert (
        len({item.name for item in items})
        == len({item.query for item in items})
        == len({item.doc for item in items})
        == len(items)
    )
    assert not any(item.doc.startswith(item.query) for item in items)


def test_a_known_function_is_there() -> None:
    item = next(item for item in standard_library() if item.name == "shutil.copytree")
    assert item.query.startswith("Recursively copy a directory tree")
