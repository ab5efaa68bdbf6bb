"""The layers of BERT by OpenVINO, on batches that are given."""

from pathlib import Path

import numpy as np
import openvino
import torch
import transformers
from serving import serve, timed

transformers.logging.set_verbosity_error()
requests = {}


class HiddenStates(torch.nn.Module):
    """The model, from token ids and mask to the last hidden states."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def load(model, folder, threads):
    """Write the model as ONNX, and load that."""
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
    path = Path(folder, "plain.onnx")
    program.save(str(path))
    compiled = openvino.Core().compile_model(
        str(path), "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    )
    requests["OpenVINO"] = compiled.create_infer_request()


def embed(batches, output):
    """Embed the batches of a file: the mean of the tokens, of length 1; return the seconds."""
    given = np.load(batches)
    pairs = [(given[f"ids{number}"], given[f"mask{number}"]) for number in range(len(given.files) // 2)]

    def pooled(ids, mask):
        hidden = requests["OpenVINO"].infer({"input_ids": ids, "attention_mask": mask})[0].copy()
        sums = np.einsum("bld,bl->bd", hidden, mask.astype(np.float32))
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)

    rows, seconds = timed(lambda: [pooled(*pair) for pair in pairs])
    np.save(output, np.concatenate(rows))
    return seconds


actions = (load, embed)
serve({action.__name__: action for action in actions})
