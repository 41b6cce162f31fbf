"""Writes the small files of fixtures/ with the libraries whose formats they are: numpy, safetensors, ml_dtypes, torch.

    python make_arrays.py            (numpy 2.4, safetensors 0.8, torch 2.13)
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent / "fixtures"
HERE.mkdir(exist_ok=True)

# Every type of NumPy that is a plain number, with its extremes.
ARRAYS = {
    "float64": np.array([[0.1, -np.inf], [5e-324, 1.7976931348623157e308]]),
    "float32": np.array([0.1, -0.0, np.nan, 1e-45], np.float32),
    "float16": np.array([0.1, -65504, 6e-8, np.inf], np.float16),
    "int64": np.array([-(2**53) + 1, 2**53 - 1]),
    "int32": np.array([-(2**31), 2**31 - 1], np.int32),
    "int16": np.array([-(2**15), 2**15 - 1], np.int16),
    "int8": np.array([-128, 127], np.int8),
    "uint64": np.array([0, 2**53 - 1], np.uint64),
    "uint32": np.array([0, 2**32 - 1], np.uint32),
    "uint16": np.array([0, 2**16 - 1], np.uint16),
    "uint8": np.array([0, 255], np.uint8),
    "bool": np.array([True, False]),
    "complex64": np.array([1 + 2j], np.complex64),
    "complex128": np.array([1 + 2j]),
    "big": np.array([1.5, -2], ">f4"),
    "fortran": np.asfortranarray(np.arange(24, dtype=np.int16).reshape(2, 3, 4)),
    "fortran16": np.asfortranarray(np.arange(6).reshape(2, 3) * (1 + 1j)),
    "scalar": np.array(7.0, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "ü/ß": np.array([1, 2], np.int32),
}
np.savez(HERE / "stored.npz", **ARRAYS)
np.savez_compressed(HERE / "deflated.npz", **ARRAYS)
with open(HERE / "version3.npy", "wb") as file:
    np.lib.format.write_array(file, ARRAYS["float16"], version=(3, 0))

# What each array is as numbers, for comparison: JSON has no infinities.
def plain(array):
    return [repr(float(value)) for value in array.ravel()]


numbers = {k: plain(v) for k, v in ARRAYS.items() if v.dtype.kind != "c"}
(HERE / "arrays.json").write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")

# Every code of the small floats, and one tensor of each other type.
codes8 = torch.arange(256, dtype=torch.uint8)
codes16 = torch.arange(0, 65536, 37, dtype=torch.int32).to(torch.uint16)
small = {
    "float8_e4m3fn": codes8.clone().view(torch.float8_e4m3fn),
    "float8_e5m2": codes8.clone().view(torch.float8_e5m2),
    "float8_e4m3fnuz": codes8.clone().view(torch.float8_e4m3fnuz),
    "float8_e5m2fnuz": codes8.clone().view(torch.float8_e5m2fnuz),
    "bfloat16": codes16.clone().view(torch.bfloat16),
    "float16": codes16.clone().view(torch.float16),
}
others = {
    "float64": torch.tensor([[0.1], [-1e300]], dtype=torch.float64),
    "float32": torch.tensor(0.1),
    "complex64": torch.tensor([1 + 2j], dtype=torch.complex64),
    "bool": torch.tensor([True, False]),
    "int64": torch.tensor([-(2**53) + 1]),
    "int32": torch.tensor([-(2**31)], dtype=torch.int32),
    "int16": torch.tensor([-(2**15)], dtype=torch.int16),
    "int8": torch.tensor([-128], dtype=torch.int8),
    "uint64": torch.tensor([2**53 - 1], dtype=torch.uint64),
    "uint32": torch.tensor([2**32 - 1], dtype=torch.uint32),
    "uint16": torch.tensor([2**16 - 1], dtype=torch.uint16),
    "uint8": torch.tensor([255], dtype=torch.uint8),
}
widened = {f"{name}.float32": value.to(torch.float32) for name, value in small.items()}
save_file({**small, **widened, **others}, HERE / "types.safetensors", metadata={"format": "pt"})
