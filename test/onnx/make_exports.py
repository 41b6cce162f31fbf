"""Writes NETWORK-EXPORTER.onnx with PyTorch's two exporters: networks of torchvision's shapes, and what they answer.

    python make_exports.py            narrow ones to fixtures/ (torch 2.13, onnx 1.23, onnxscript 0.7)
    python make_exports.py FOLDER     the same at torchvision's own widths to a folder: 1.7 GB
"""

import json
import sys
from pathlib import Path

import onnx
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "formats"))
sys.dont_write_bytecode = True
from networks import ResNet18, alexnet, squeezenet, vgg11  # noqa: E402

FULL = len(sys.argv) > 1
OUT = Path(sys.argv[1]) if FULL else HERE / "fixtures"


def pattern(*shape):
    """The same numbers in every language."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 7919 % 2003).double() / 1001 - 1).float().reshape(shape)


def lively(net, x):
    """Weights through which pictures make a difference to the last layer, however narrow the net."""
    for seed in range(100):
        torch.manual_seed(seed)
        y = redrawn(net)(x)
        if (y[0] - y[1]).abs().max() > 0.005 * y.abs().max():
            return


def redrawn(net):
    for module in net.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                torch.nn.init.uniform_(module.bias, 0, 0.5)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return net.eval()


def narrow():
    yield "alexnet", alexnet(width=2, hidden=8, classes=10), 224
    yield "squeezenet", squeezenet(unit=1, classes=10), 224
    yield "vgg11", vgg11(width=1, hidden=8, classes=10), 224
    yield "resnet18", ResNet18(width=2, classes=10), 64


def full():
    yield "alexnet", alexnet(), 224
    yield "squeezenet", squeezenet(), 224
    yield "vgg11", vgg11(), 224
    yield "resnet18", ResNet18(), 224


def strip(path):
    """Leaves out the notes on where each node was written in Python."""
    model = onnx.load(path)
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph, model):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    onnx.save(model, path)


answers = {}
for name, net, size in full() if FULL else narrow():
    x = pattern(2, 3, size, size)
    lively(net, x)
    with torch.no_grad():
        answers[name] = {"size": size, "y": net(x).flatten().tolist()}
    script, dynamo = (str(OUT / f"{name}-{exporter}.onnx") for exporter in ("torchscript", "dynamo"))
    axes = {"data": {0: "batch"}, "logits": {0: "batch"}}
    torch.onnx.export(
        net, (x,), script, dynamo=False, input_names=["data"], output_names=["logits"], dynamic_axes=axes
    )
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.onnx.export(
        *(net, (x,), dynamo),
        dynamo=True,
        input_names=["data"],
        output_names=["logits"],
        dynamic_shapes=({0: batch},),
        external_data=False,
    )
    strip(script)
    strip(dynamo)
(OUT / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")
