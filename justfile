# `uv run just` lists the tasks; just itself comes with the locked environment.

_list:
    @just --list --unsorted

# the locked environment, and the hooks that run before each commit
setup:
    uv sync --locked
    uv run pre-commit install

# all that must pass: the one definition of green
check:
    .ci/run

# the tests, or some of them: `just test tests/models -k pooling`
test *arguments:
    uv run pytest {{ arguments }}

# real collections, the figures of others, every kind of model, kills and signals: minutes each (.ci/run tests some of them)
reference:
    uv run pytest -m "slow or long"

# one package's wheel in an empty environment: `just alone models`, `just alone models lowest`
alone package versions="locked":
    rm -rf dist
    uv build --quiet --all-packages --no-sources -o dist
    .ci/alone {{ package }} dist {{ versions }}

# format, and repair what the linter can
fmt:
    uv run ruff format
    uv run ruff check --fix

# the type checker
types:
    uv run basedpyright

# the files that pin what other libraries compute, each library in an environment of its own
golden:
    for maker in tests/models/golden/make_*.py; do uv run "$maker"; done

# what is claimed of speed, measured against others: `just bench` lists, `just bench sparse` runs one
bench *arguments:
    uv run python -m benchmarks {{ arguments }}
