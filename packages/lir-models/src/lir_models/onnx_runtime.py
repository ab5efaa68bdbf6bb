"""The layers of an encoder run by ONNX Runtime on the CPU: in float32, or with linear layers of eight bits.

Everything around them stays torch's: tokenization, batches, heads, and the layers themselves wherever they are trained.
"""

import logging
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from lir_models.errors import ConfigError, MissingExtraError, did_you_mean
from lir_models.onnx_int8 import quantize

logger = logging.getLogger(__name__)

# What is written from it is of texts of any number and length.
_EXAMPLE = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


#: What may run the layers of a transformer.
Backend = Literal["torch", "onnx"]


def check_backend(backend: str, dtype: torch.dtype, device: str | torch.device | None) -> None:
    """Refuse what no backend can do, before anything is loaded.

    Raises:
        ConfigError: If there is no such backend, or it does not compute in the type or on the device.
        MissingExtraError: If a package of the extra ``onnx`` is needed and missing.
    """
    names = get_args(Backend)
    if backend not in names:
        raise ConfigError(f"There is no backend '{backend}'; it is {' or '.join(names)}.{did_you_mean(backend, names)}")
    if backend == "torch":
        if dtype == torch.int8:
            raise ConfigError("dtype='int8' is computed by ONNX Runtime alone: give backend='onnx' too.")
        return
    if dtype not in (torch.float32, torch.int8):
        raise ConfigError(f"backend='onnx' computes in float32 or int8, not in {str(dtype).removeprefix('torch.')}.")
    if device is not None and torch.device(device).type != "cpu":
        raise ConfigError(f"backend='onnx' runs on the CPU, not on '{device}'.")
    _runtime()


def check_encoder(config: Any) -> None:
    """Refuse to have ONNX Runtime run what is no encoder.

    Args:
        config: Of a transformer.

    Raises:
        ConfigError: If it is a decoder, or has one.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    has_decoder = getattr(config, "is_decoder", False) or config.is_encoder_decoder
    if has_decoder or config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise ConfigError(
            f"backend='onnx' runs encoders such as BERT, RoBERTa or ModernBERT; the model is of the kind '{config.model_type}'."
        )


def use_onnx_runtime(backbone: Any, *, int8: bool) -> None:
    """Have ONNX Runtime run a backbone's layers wherever nothing is trained; a head of its own stays torch's.

    The layers are handed over at the first batch, and again after their weights have changed; hooks on them are not called.

    Args:
        backbone: An encoder, with or without a head of its own.
        int8: Whether linear layers multiply numbers of eight bits: weights are rounded once, channel by channel, and what
            is multiplied with them token by token, as it comes.
    """
    trunk = backbone.base_model
    trunk.forward = _Forward(trunk, int8=int8)


def runs_in_eight_bits(backbone: Any) -> bool:
    """Whether ONNX Runtime runs a backbone's layers in eight bits."""
    forward = vars(getattr(backbone, "base_model", backbone)).get("forward")
    return isinstance(forward, _Forward) and forward.int8


class _Forward:
    """What takes the place of the method ``forward`` of a trunk."""

    def __init__(self, trunk: Any, *, int8: bool) -> None:
        self.trunk = trunk
        self.int8 = int8
        self._sessions: dict[tuple[str, ...], Any] = {}
        self._versions: list[tuple[int, int]] = []

    def __getstate__(self) -> dict[str, Any]:
        return {"trunk": self.trunk, "int8": self.int8, "_sessions": {}, "_versions": []}

    def __call__(self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, **options: Any) -> Any:
        if input_ids is None or not self._may_run(input_ids, options):
            return type(self.trunk).forward(self.trunk, input_ids, attention_mask=attention_mask, **options)
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        inputs = {
            "input_ids": input_ids,
            "attention_mask": torch.ones_like(input_ids) if attention_mask is None else attention_mask,
        }
        if options.get("token_type_ids") is not None:
            inputs["token_type_ids"] = options["token_type_ids"]
        found = self._session(tuple(inputs)).run(None, {name: value.numpy() for name, value in inputs.items()})
        hidden = torch.from_numpy(found[0])
        pooler = getattr(self.trunk, "pooler", None)
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden,  # pyright: ignore[reportArgumentType]
            pooler_output=None if pooler is None else pooler(hidden),
        )

    def _may_run(self, input_ids: Tensor, options: dict[str, Any]) -> bool:
        others = (value for name, value in options.items() if name not in ("token_type_ids", "return_dict"))
        return (
            not torch.is_grad_enabled()
            and not self.trunk.training
            and not torch.compiler.is_compiling()
            and input_ids.device.type == self.trunk.device.type == "cpu"
            and options.get("return_dict") is not False
            and all(value is None or value is False for value in others)
        )

    def _session(self, names: tuple[str, ...]) -> Any:
        versions = [(part.data_ptr(), _version(part)) for part in self.trunk.parameters()]
        if versions != self._versions:
            self._sessions.clear()
            self._versions = versions
        if names not in self._sessions:
            self._sessions[names] = _handed_over(self.trunk, names, int8=self.int8)
        return self._sessions[names]


def _version(part: Tensor) -> int:
    """Return how often a tensor was changed in place; one made in inference mode does not say."""
    return 0 if part.is_inference() else part._version  # noqa: SLF001


class _HiddenStates(nn.Module):
    """A trunk, from token ids and the like to the last hidden states."""

    def __init__(self, trunk: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.trunk = trunk
        self.names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        given = dict(zip(self.names, inputs, strict=True))
        return type(self.trunk).forward(self.trunk, **given).last_hidden_state


def _handed_over(trunk: Any, names: tuple[str, ...], *, int8: bool) -> Any:
    """Write a trunk as ONNX, and load that."""
    onnxruntime = _runtime()
    logger.info("Writing the layers of %s as ONNX.", type(trunk).__name__)
    texts, length = torch.export.Dim("texts"), torch.export.Dim("length")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder, _plain(trunk), _silence():
        path = Path(folder, "layers.onnx")
        try:
            program: Any = torch.onnx.export(
                _HiddenStates(trunk, names),
                tuple(_EXAMPLE.clone() for _ in names),
                input_names=list(names),
                dynamic_shapes=(tuple({0: texts, 1: length} for _ in names),),
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ConfigError(
                f"The layers of {type(trunk).__name__} cannot be written as ONNX; backend='torch' runs them."
            ) from error
        program.save(str(path))
        if int8:
            path = quantize(path)
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@contextmanager
def _plain(trunk: Any) -> Generator[None]:
    """Have a trunk run operations that ONNX knows, without gradients."""
    attention = trunk.config._attn_implementation  # noqa: SLF001
    trunk.set_attn_implementation("eager")
    try:
        with torch.inference_mode(mode=False), torch.no_grad():
            yield
    finally:
        trunk.set_attn_implementation(attention)


@contextmanager
def _silence() -> Generator[None]:
    """Keep torch and ONNX Runtime from their reports, on torchvision for instance."""
    root, handler = logging.getLogger(), logging.NullHandler()
    level = root.manager.disable
    root.addHandler(handler)  # A report to a root without any would add one, which stays.
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        root.removeHandler(handler)


def _runtime() -> ModuleType:
    try:
        *_, onnxruntime = map(import_module, ("onnx", "onnxscript", "onnxruntime"))
    except ImportError as error:
        raise MissingExtraError(
            f"backend='onnx' needs the package {error.name}, which is not installed.",
            hint="pip install 'lir-models[onnx]'",
        ) from error
    return onnxruntime
