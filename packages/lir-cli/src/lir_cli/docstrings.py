"""A collection of real text that every machine has: the documentation of Python's standard library.

A document is the body of a function's or class's documentation, a query its first line, which the document then lacks;
so each query has one relevant document.
"""

import ast
import inspect
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Not of the library itself, or not on every machine: Tk is often a package of its own, distutils ended with Python 3.11.
_LEFT_OUT = {
    *("__pycache__", "site-packages", "dist-packages", "test", "tests"),
    *("distutils", "idlelib", "lib2to3", "tkinter", "turtle.py", "turtledemo"),
}
_QUERY_WORDS = 3
_DOC_WORDS = 5


@dataclass(frozen=True, slots=True)
class Docstring:
    """One documented function or class: its name, the first line, and the rest."""

    name: str
    query: str
    doc: str


def standard_library() -> list[Docstring]:
    """Read the collection: source files are parsed, none is run.

    Returns:
        In the order of modules and lines; where two share their first line or their rest, neither is there.
    """
    found = list(_docstrings(Path(sysconfig.get_paths()["stdlib"])))
    queries = Counter(item.query.lower() for item in found)
    docs = Counter(item.doc for item in found)
    names: Counter[str] = Counter()
    kept: list[Docstring] = []
    for item in found:
        if queries[item.query.lower()] == 1 and docs[item.doc] == 1:
            names[item.name] += 1
            number = names[item.name]  # a name may be defined once for each platform
            kept.append(item if number == 1 else Docstring(f"{item.name}#{number}", item.query, item.doc))
    return kept


def _docstrings(root: Path) -> Iterator[Docstring]:
    for path in sorted(root.rglob("*.py")):
        inner = path.relative_to(root)
        # Modules of a leading underscore say the same as a public one, _pydecimal for instance.
        if _LEFT_OUT.intersection(inner.parts) or inner.parts[0].startswith("_"):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, OSError, ValueError):
            continue
        module = ".".join(inner.with_suffix("").parts).removesuffix(".__init__")
        yield from _documented(tree, module)


def _documented(node: ast.AST, name: str) -> Iterator[Docstring]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _documented(child, name)
            continue
        inner = f"{name}.{child.name}"
        first, _, rest = inspect.cleandoc(ast.get_docstring(child, clean=False) or "").partition("\n")
        query, doc = " ".join(first.split()), rest.strip()
        if len(query.split()) >= _QUERY_WORDS and len(doc.split()) >= _DOC_WORDS:
            yield Docstring(inner, query, doc)
        yield from _documented(child, inner)
