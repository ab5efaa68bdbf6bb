"""Other runtimes for the layers of BERT: ONNX Runtime, in float32 and int8, and OpenVINO; on batches that are given."""

from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import torch
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model
from serving import serve, timed

transformers.logging.set_verbosity_error()
runtimes = {}


class HiddenStates(torch.nn.Module):
    """The model, from token ids and mask to the last hidden states."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def export(model, folder):
    """Write the model as ONNX, as onnxruntime fuses it, and with weights of int8."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    module = transformers.AutoModel.from_pretrained(model, attn_implementation="eager").eval()
    ids = torch.tensor([[101, 2054, 2003, 102], [101, 2054, 102, 0]])
    axes = {
        name: {0: torch.export.Dim("texts"), 1: torch.export.Dim("length")} for name in ("input_ids", "attention_mask")
    }
    program = torch.onnx.export(
        HiddenStates(module),
        (ids, (ids > 0).long()),
        input_names=list(axes),
        dynamic_shapes=axes,
        dynamo=True,
        verbose=False,
    )
    program.save(str(folder / "plain.onnx"))
    config = module.config
    fused = optimize_model(
        str(folder / "plain.onnx"), "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
    )
    fused.save_model_to_file(str(folder / "fused.onnx"))
    # Seven bits: on processors without VNNI products of eight overflow.
    quantize_dynamic(
        folder / "plain.onnx", folder / "int8.onnx", per_channel=True, reduce_range=True, weight_type=QuantType.QInt8
    )
    return fused.get_fused_operator_statistics()


def load(folder, threads):
    """Load what was exported, in each runtime."""
    folder = Path(folder)

    def session(name):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        loaded = onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
        return lambda ids, mask: loaded.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    compiled = openvino.Core().compile_model(
        str(folder / "plain.onnx"), "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    )
    request = compiled.create_infer_request()
    runtimes["ONNX Runtime"] = session("plain.onnx")
    runtimes["ONNX Runtime, fused"] = session("fused.onnx")
    runtimes["ONNX Runtime, int8"] = session("int8.onnx")
    runtimes["OpenVINO"] = lambda ids, mask: request.infer({"input_ids": ids, "attention_mask": mask})[0].copy()


def embed(runtime, batches, output):
    """Embed the batches of a file: the mean of the tokens, of length 1; return the seconds."""
    given = np.load(batches)
    pairs = [(given[f"ids{number}"], given[f"mask{number}"]) for number in range(len(given.files) // 2)]

    def pooled(ids, mask):
        hidden = runtimes[runtime](ids, mask)
        sums = np.einsum("bld,bl->bd", hidden, mask.astype(np.float32))
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)

    rows, seconds = timed(lambda: [pooled(*pair) for pair in pairs])
    np.save(output, np.concatenate(rows))
    return seconds


actions = (export, load, embed)
serve({action.__name__: action for action in actions})
