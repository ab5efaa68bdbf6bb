"""``python -m benchmarks`` lists the benchmarks, ``python -m benchmarks sparse`` runs one."""

import importlib
import sys

BENCHMARKS = {
    "backends": "what runs the layers fastest: torch, ONNX Runtime in float32 and int8, OpenVINO",
    "dense": "search over dense embeddings: kinds of Faiss and torch-dense against Faiss and sentence-transformers themselves",
    "encoding": "encoding documents and queries: lir against sentence-transformers",
    "fine_tuning": "real fine-tuning of each family: before, after, BM25, and the same recipe by sentence-transformers",
    "gradient_cache": "memory of a training step with 512 queries by gradient caching, against one with 32",
    "half_precision": "encoding documents in bfloat16: what it costs and how fast it is",
    "indexing": "indexing from texts end to end against the bare encoding",
    "late_interaction": "scoring by late interaction: lir against sentence-transformers and Lightning IR",
    "max_sim": "exact MaxSim over all documents: lir against maxsim-cpu and against a padded product of torch",
    "memory": "memory that building takes, of each kind, for a collection and one ten times larger",
    "multi_vector": "search over multi-vector embeddings at equal recall: plaid against exact, fast-plaid and xtr-warp",
    "recall": "what approximate kinds find of the exact results, on embeddings of real models, and what they cost",
    "reranking": "re-ranking: lir against sentence-transformers and Lightning IR",
    "reranking_t5": "re-ranking by monoT5: lir against a loop as pygaggle has it",
    "run_files": "reading and evaluating a run of five million lines: lir against pandas and ir-measures",
    "sparse": "exact search over sparse embeddings: numba, torch and numpy against splade-index and scipy",
    "sparse_approximate": "approximate search over sparse embeddings: two steps against exact search and Seismic",
    "sparse_encoding": "term weights (SPLADE): time and memory against sentence-transformers",
    "start_up": "until help and one query at the terminal are answered, against importing the libraries behind them",
    "training_speed": "training steps against sentence-transformers' trainer",
    "readme": "no benchmark: writes README.md, with all claims, from the results",
}


def main(arguments: list[str]) -> int:
    """Run the benchmark that is named first, with the other arguments."""
    if not arguments or arguments[0] not in BENCHMARKS:
        if arguments and not arguments[0].startswith("-"):
            print(f"There is no benchmark '{arguments[0]}'.", file=sys.stderr)
        print("uv run python -m benchmarks NAME [--help]\n")
        for name, description in BENCHMARKS.items():
            print(f"  {name:20} {description}")
        return int(bool(arguments) and not arguments[0].startswith("-"))
    importlib.import_module(f"benchmarks.{arguments[0]}").main(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
