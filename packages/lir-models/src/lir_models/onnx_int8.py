"""The linear layers of an ONNX model in eight bits: weights rounded once, what is multiplied with them row by row.

ONNX Runtime's own dynamic quantization has one scale for all that a layer is given, so that a text's numbers hang on the texts
beside it. Here every token has a scale of its own: a text is the same alone and in any batch, and nearer to float32.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Weights have seven bits: products of eight overflow on processors without VNNI, and numbers should not hang on those.
_LARGEST_WEIGHT = 63
_LARGEST_VALUE = 127
# Values are unsigned on their way: 128 stands for 0.
_ZERO = 128


class _Rounded(NamedTuple):
    """The names of a tensor's values in eight bits, and of what each row is to be multiplied with."""

    values: str
    scale: str


def quantize(path: Path) -> Path:
    """Have a model's products with constant matrices computed in eight bits.

    Args:
        path: The model.

    Returns:
        The new model, beside it.
    """
    import onnx  # pyright: ignore[reportMissingImports]

    model: Any = onnx.load(str(path))
    quantized = path.with_name("int8.onnx")
    _Rewriting(onnx, model.graph).run()
    domains = {opset.domain for opset in model.opset_import}
    if "com.microsoft" not in domains:
        model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    # A file alone holds two GB.
    onnx.save(model, str(quantized), save_as_external_data=True, location="int8.data")
    return quantized


class _Rewriting:
    """A graph while its products are replaced."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self._onnx = onnx
        self._graph = graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._nodes: list[Any] = []
        self._rounded: dict[str, _Rounded] = {}
        self._replaced: set[str] = set()

    def run(self) -> None:
        for name, value in (("largest", _LARGEST_VALUE), ("one", 1.0), ("least", np.finfo(np.float32).tiny)):
            self._add(f"int8_{name}", np.array(value, dtype=np.float32))
        self._add("int8_zero", np.array(_ZERO, dtype=np.uint8))
        self._add("int8_axis", np.array([-1], dtype=np.int64))
        for node in self._graph.node:
            if node.op_type == "MatMul" and len(getattr(self._weights.get(node.input[1]), "dims", ())) == 2:
                self._replace(node)
            else:
                self._nodes.append(node)
        read = {name for node in self._nodes for name in node.input}
        kept = [tensor for name, tensor in self._weights.items() if name in read or name not in self._replaced]
        del self._graph.node[:], self._graph.initializer[:]
        self._graph.node.extend(self._nodes)
        self._graph.initializer.extend(kept)

    def _replace(self, node: Any) -> None:
        values, weights = node.input
        if f"{weights}_int8" not in self._weights:
            matrix = self._onnx.numpy_helper.to_array(self._weights[weights])
            largest = np.abs(matrix).max(axis=0)
            scales = np.where(largest == 0, 1, largest / _LARGEST_WEIGHT).astype(np.float32)
            self._add(f"{weights}_int8", np.rint(matrix / scales).astype(np.int8))
            self._add(f"{weights}_scales", scales)
            self._replaced.add(weights)
        rounded = self._rounded.get(values) or self._round(values)
        product = f"{node.output[0]}_int8"
        inputs = [rounded.values, f"{weights}_int8", "int8_one", f"{weights}_scales", "int8_zero"]
        self._run("MatMulIntegerToFloat", inputs, product, domain="com.microsoft")
        self._run("Mul", [product, rounded.scale], node.output[0])

    def _round(self, values: str) -> _Rounded:
        """Scale each row of a tensor to the largest value of eight bits, and round it; several products may read it."""
        size, largest, ratio, scale, scaled, rounded = (
            f"{values}_{part}" for part in ("size", "largest", "ratio", "scale", "scaled", "int8")
        )
        self._run("Abs", [values], size)
        self._run("ReduceMax", [size, "int8_axis"], largest, keepdims=1)
        self._run("Div", [largest, "int8_largest"], ratio)
        self._run("Max", [ratio, "int8_least"], scale)  # a row may be all zeros
        self._run("Div", [values, scale], scaled)
        self._run("QuantizeLinear", [scaled, "int8_one", "int8_zero"], rounded)
        self._rounded[values] = _Rounded(rounded, scale)
        return self._rounded[values]

    def _add(self, name: str, values: np.ndarray) -> None:
        self._weights[name] = self._onnx.numpy_helper.from_array(values, name)

    def _run(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(self._onnx.helper.make_node(operation, inputs, [output], **attributes))
