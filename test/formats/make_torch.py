"""Writes fixtures/*.pth with torch itself, and the numbers that are in them.

    python make_torch.py            (torch 2.13)
"""

import json
from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent / "fixtures"
torch.manual_seed(1)

base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
shared = torch.arange(5, dtype=torch.int64)
state = OrderedDict(
    [
        ("dense", base),
        ("row", base[1]),
        ("transposed", base.t()),
        ("strided", base[::2, 1::2]),
        ("expanded", torch.tensor([7.0]).expand(3, 4)),
        ("parameter", torch.nn.Parameter(torch.tensor([1.5, -2.0]))),
        ("scalar", torch.tensor(3)),
        ("empty", torch.zeros(0, 3)),
        ("float64", torch.tensor([0.1, -1e300], dtype=torch.float64)),
        ("float16", torch.tensor([0.1, -65504.0], dtype=torch.float16)),
        ("bfloat16", torch.tensor([0.1, 3e38], dtype=torch.bfloat16)),
        ("float8_e4m3fn", torch.tensor([0.1, 448.0]).to(torch.float8_e4m3fn)),
        ("int64", shared),
        ("int64 part", shared[2:4]),
        ("int32", torch.tensor([-(2**31)], dtype=torch.int32)),
        ("int16", torch.tensor([-(2**15)], dtype=torch.int16)),
        ("int8", torch.tensor([-128], dtype=torch.int8)),
        ("uint16", torch.tensor([2**16 - 1], dtype=torch.uint16)),
        ("uint8", torch.tensor([255], dtype=torch.uint8)),
        ("bool", torch.tensor([True, False])),
    ]
)
state._metadata = OrderedDict([("", {"version": 1})])
torch.save(state, HERE / "state.pth")
torch.save(state, HERE / "state-legacy.pth", _use_new_zipfile_serialization=False)
checkpoint = {"epoch": 3, "lr": 0.5, "name": "net", "state_dict": state, "list": [base[0], (base[1],)], "size": base.size()}
torch.save(checkpoint, HERE / "checkpoint.pt")
numbers = {
    name: {"dtype": str(t.dtype).split(".")[1], "shape": list(t.shape), "values": [repr(float(v)) for v in t.detach().flatten()]}
    for name, t in state.items()
}
(HERE / "state.json").write_text(json.dumps(numbers, indent=1) + "\n")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(1, 1)


torch.save(Net(), HERE / "module.pth")


class Shell:
    def __reduce__(self):
        import os

        return os.system, ("touch /tmp/cortado-was-here",)


torch.save({"w": Shell()}, HERE / "hostile.pth")
