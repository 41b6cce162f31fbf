"""Writes fixtures/ops.npz: a model of one or a few nodes for each rule of the import, and what ONNX Runtime makes of it.

    python make_ops.py            (onnx 1.23, onnxruntime 1.30, numpy 2.4)

Entries: NAME.onnx (the bytes of the file), NAME.x (its input), NAME.y (its output).
"""

from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).parent / "fixtures" / "ops.npz"
random = np.random.default_rng(1)
made = {}


def f32(*shape):
    return random.uniform(-1, 1, shape).astype(np.float32)


def i64(*values):
    return np.array(values, np.int64)


def case(name, nodes, shape, opset=17, consts=(), x=None, batch="N"):
    """Nodes are (type, inputs, attributes) with outputs called 1, 2, …; the last one is the answer."""
    graph_nodes = []
    for i, (kind, inputs, attributes, *outputs) in enumerate(nodes):
        graph_nodes.append(helper.make_node(kind, inputs, outputs or [f"t{i}"], name=f"n{i}", **attributes))
    graph_nodes[-1].output[0] = "y"
    x = f32(*shape) if x is None else x
    initializers = [numpy_helper.from_array(np.asarray(value), key) for key, value in dict(consts).items()]
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape[1:]])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(graph_nodes, name, [info], [out], initializers)
    ir = 8 if opset < 21 else 10
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, producer_name="test")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (y,) = session.run(["y"], {"x": x})
    made[f"{name}.onnx"] = np.frombuffer(model.SerializeToString(), np.uint8)
    made[f"{name}.x"] = x
    made[f"{name}.y"] = y


W = ("x", "w")
WB = ("x", "w", "b")

# Windows.
for name, shape, attributes in [
    ("plain", (6, 3, 3, 3), {}),
    ("strided", (4, 3, 5, 3), {"strides": [2, 3], "pads": [2, 1, 2, 1]}),
    ("grouped", (6, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    ("dilated", (4, 3, 3, 3), {"dilations": [2, 1], "pads": [2, 0, 2, 0]}),
    ("uneven", (4, 3, 3, 3), {"pads": [0, 1, 2, 0], "strides": [2, 2]}),
    ("same-upper", (4, 3, 4, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("same-lower", (4, 3, 4, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("valid", (4, 3, 3, 3), {"auto_pad": "VALID"}),
]:
    case(f"Conv {name}", [("Conv", WB, attributes)], (2, 3, 9, 10), consts={"w": f32(*shape), "b": f32(shape[0])})
case("Conv without bias", [("Conv", W, {})], (2, 3, 5, 5), consts={"w": f32(4, 3, 3, 3)}, opset=9)
case(
    *("ConvTranspose", [("ConvTranspose", WB, {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 2})], (2, 4, 5, 6)),
    consts={"w": f32(4, 3, 3, 3), "b": f32(6)},
)
for kind in ("MaxPool", "AveragePool"):
    for name, shape, attributes in [
        ("floor", (2, 3, 10, 12), {"kernel_shape": [3, 2], "strides": [2, 2]}),
        ("ceil", (2, 3, 10, 12), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
        ("padded", (2, 3, 10, 9), {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 1, 1, 1]}),
        ("uneven", (2, 3, 10, 10), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
        ("same", (2, 3, 9, 10), {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ]:
        case(f"{kind} {name}", [(kind, ["x"], attributes)], shape, opset=12)
case(
    "AveragePool counting",
    [("AveragePool", ["x"], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1})],
    (2, 3, 6, 7),
)
case(
    "AveragePool counting uneven",
    [("AveragePool", ["x"], {"kernel_shape": [3, 3], "pads": [0, 1, 2, 0], "count_include_pad": 1})],
    (2, 3, 6, 7),
)
case("GlobalAveragePool", [("GlobalAveragePool", ["x"], {})], (2, 3, 5, 7))
case("GlobalMaxPool", [("GlobalMaxPool", ["x"], {})], (2, 3, 5, 7))

# Matrices.
case("Gemm", [("Gemm", WB, {"transB": 1})], (3, 5), consts={"w": f32(4, 5), "b": f32(4)})
case("Gemm scaled", [("Gemm", WB, {"alpha": 0.5, "beta": 2.0})], (3, 5), consts={"w": f32(5, 4), "b": f32(1, 4)})
case("Gemm one bias", [("Gemm", WB, {})], (3, 5), consts={"w": f32(5, 4), "b": np.float32(0.5)})
case("MatMul", [("MatMul", W, {}), ("Add", ["t0", "b"], {})], (3, 5), consts={"w": f32(5, 4), "b": f32(4)})
case("MatMul of three axes", [("MatMul", W, {})], (3, 2, 5), consts={"w": f32(5, 4)})
case(
    *("MatMul transposed", [("Transpose", ["w"], {"perm": [1, 0]}), ("MatMul", ["x", "t0"], {})], (3, 5)),
    consts={"w": f32(4, 5)},
)
case(
    *("Gemm shared", [("Gemm", W, {}), ("Identity", ["w"], {}), ("Gemm", ["t0", "t1"], {})], (3, 5)),
    consts={"w": f32(5, 5)},
)

# Functions of one element.
for kind in ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Abs", "Neg", "Exp", "HardSigmoid", "HardSwish", "Selu"):
    case(kind, [(kind, ["x"], {})], (2, 3, 4), x=4 * f32(2, 3, 4))
positive = np.abs(f32(2, 3, 4)) + np.float32(0.1)
for kind in ("Sqrt", "Log", "Reciprocal"):
    case(kind, [(kind, ["x"], {})], (2, 3, 4), x=positive)
case("LeakyRelu", [("LeakyRelu", ["x"], {"alpha": 0.2})], (2, 3, 4))
case("Elu", [("Elu", ["x"], {"alpha": 0.7})], (2, 3, 4))
case("PRelu", [("PRelu", W, {})], (2, 3, 4, 5), consts={"w": f32(3, 1, 1)})
case("PRelu shared", [("PRelu", W, {})], (2, 3, 4, 5), consts={"w": f32(1)})
case("Clip 6", [("Clip", ["x"], {"min": -0.5, "max": 0.25})], (2, 3), opset=9)
case("Clip", [("Clip", ["x", "a", "b"], {})], (2, 3), consts={"a": np.float32(-0.5), "b": np.float32(0.25)})
case("Clip above", [("Clip", ["x", "", "b"], {})], (2, 3), consts={"b": np.float32(0.25)})
case("Clip below", [("Clip", ["x"], {"min": 0.0})], (2, 3), opset=9)
case("Pow", [("Pow", W, {})], (2, 3, 4), x=positive, consts={"w": np.float32(1.5)})

# Arithmetic, both ways round.
for kind in ("Add", "Sub", "Mul", "Div"):
    for name, shape in [("scalar", ()), ("channels", (1, 3, 1, 1)), ("last", (5,)), ("plane", (4, 5)), ("all", (1, 3, 4, 5))]:
        const = {"c": (f32(*shape) + np.float32(2)).astype(np.float32)}
        case(f"{kind} {name}", [(kind, ["x", "c"], {})], (2, 3, 4, 5), consts=const)
        case(f"{kind} {name} turned", [(kind, ["c", "x"], {})], (2, 3, 4, 5), x=f32(2, 3, 4, 5) + np.float32(2), consts=const)
    case(f"{kind} of two", [("Exp", ["x"], {}), (kind, ["x", "t0"], {})], (2, 3, 4, 5))
    case(f"{kind} gate", [("GlobalMaxPool", ["x"], {}), (kind, ["x", "t0"], {})], (2, 3, 4, 5), x=f32(2, 3, 4, 5) + np.float32(2))
for kind in ("Sum", "Mean", "Max"):
    case(kind, [("Exp", ["x"], {}), ("Abs", ["x"], {}), (kind, ["x", "t0", "t1"], {})], (2, 3, 4))

# Normalisation.
case("LRN", [("LRN", ["x"], {"size": 5, "alpha": 0.1, "beta": 0.75, "bias": 2.0})], (2, 7, 4, 5))
statistics = {"s": f32(3), "b": f32(3), "m": f32(3), "v": np.abs(f32(3)) + np.float32(0.5)}
norm = [("BatchNormalization", ["x", "s", "b", "m", "v"], {"epsilon": 0.01})]
for opset in (9, 15):
    case(f"BatchNormalization {opset}", norm, (2, 3, 4, 5), opset=opset, consts=statistics)
case("BatchNormalization of rows", norm, (4, 3), consts=statistics)
for opset in (11, 13):
    for attributes in ({}, {"axis": 1}, {"axis": -1}, {"axis": 2}):
        label = attributes.get("axis", "default")
        case(f"Softmax {opset} axis {label}", [("Softmax", ["x"], attributes)], (2, 3, 4, 5), opset=opset)
    case(f"LogSoftmax {opset}", [("LogSoftmax", ["x"], {})], (2, 6), opset=opset)
case("Softmax 11 of points", [("Softmax", ["x"], {})], (2, 6, 1, 1), opset=11)
case("Dropout", [("Dropout", ["x"], {"ratio": 0.3}), ("Relu", ["t0"], {})], (2, 6), opset=9)
case("Dropout 13", [("Dropout", ["x", "r"], {}), ("Relu", ["t0"], {})], (2, 6), consts={"r": np.float32(0.3)})

# Moving elements.
case("Concat", [("Exp", ["x"], {}), ("Concat", ["x", "t0"], {"axis": 1})], (2, 3, 4))
case("Concat last", [("Exp", ["x"], {}), ("Concat", ["x", "t0"], {"axis": -1})], (2, 3, 4))
parts = ("Split", ["x"], {"axis": 1}, "a", "b")
case("Split", [parts, ("Sub", ["a", "b"], {})], (2, 6, 4), opset=11)
case(
    *("Split 11", [("Split", ["x"], {"axis": 1, "split": [2, 4]}, "a", "b"), ("Relu", ["b"], {})], (2, 6, 4)),
    opset=11,
)
case(
    *("Split 13", [("Split", ["x", "s"], {"axis": 1}, "a", "b", "c"), ("Relu", ["b"], {})], (2, 6, 4)),
    consts={"s": i64(1, 2, 3)},
)
case(
    *("Split 18", [("Split", ["x"], {"axis": 1, "num_outputs": 2}, "a", "b"), ("Relu", ["b"], {})], (2, 5, 4)),
    opset=18,
)
case("Slice 9", [("Slice", ["x"], {"starts": [1, -3], "ends": [3, 9223372036854775807], "axes": [1, 2]})], (2, 4, 5), opset=9)
case(
    *("Slice", [("Slice", ["x", "s", "e", "a"], {})], (2, 4, 5)),
    consts={"s": i64(0, 1), "e": i64(2**62, -1), "a": i64(1, 2)},
)
case("Flatten", [("Flatten", ["x"], {})], (2, 3, 4, 5))
case("Flatten 2", [("Flatten", ["x"], {"axis": 2})], (2, 3, 4, 5))
case("Flatten 0", [("Flatten", ["x"], {"axis": 0})], (2, 3, 4))
case("Reshape", [("Reshape", ["x", "s"], {})], (2, 3, 4, 5), consts={"s": i64(0, -1, 5)})
case("Reshape open", [("Reshape", ["x", "s"], {})], (2, 3, 4), consts={"s": i64(-1, 12)})
case("Reshape fixed", [("Reshape", ["x", "s"], {})], (1, 3, 4), consts={"s": i64(1, -1)}, batch=1)
case(
    "Reshape by shape",
    [
        ("Shape", ["x"], {}),
        ("Gather", ["t0", "zero"], {}),
        ("Unsqueeze", ["t1", "axes"], {}),
        ("Concat", ["t2", "rest"], {"axis": 0}),
        ("Reshape", ["x", "t3"], {}),
    ],
    (2, 3, 4),
    consts={"zero": np.int64(0), "axes": i64(0), "rest": i64(-1)},
)
case(
    "Channel shuffle",
    [
        ("Shape", ["x"], {"start": 0, "end": 1}),
        ("Concat", ["t0", "rest"], {"axis": 0}),
        ("Reshape", ["x", "t1"], {}),
        ("ReduceSum", ["t2", "axes"], {"keepdims": 0}),
    ],
    (2, 6, 4),
    consts={"rest": i64(2, 3, 4), "axes": i64(-1)},
)
case(
    "Reshape by product",
    [
        ("Shape", ["x"], {}),
        ("Slice", ["t0", "one", "end"], {}),
        ("ReduceProd", ["t1"], {"keepdims": 1}),
        ("Concat", ["open", "t2"], {"axis": 0}),
        ("Cast", ["t3"], {"to": TensorProto.INT64}),
        ("Reshape", ["x", "t4"], {}),
    ],
    (2, 3, 4),
    consts={"one": i64(1), "end": i64(3), "open": i64(-1)},
)
case("Squeeze", [("Squeeze", ["x", "a"], {})], (2, 3, 1, 1), consts={"a": i64(2, 3)})
case("Squeeze 11", [("Squeeze", ["x"], {"axes": [-1]})], (2, 3, 1), opset=11)
case("Unsqueeze", [("Unsqueeze", ["x", "a"], {})], (2, 3), consts={"a": i64(2, -1)})
case("Transpose", [("Transpose", ["x"], {"perm": [0, 2, 1, 3]})], (2, 1, 4, 5))
case("Pad", [("Pad", ["x", "p"], {})], (2, 3, 4, 5), consts={"p": i64(0, 0, 1, 2, 0, 1, 0, 3)})
case("Pad 9", [("Pad", ["x"], {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "value": 0.5})], (2, 3, 4, 5), opset=9)
case(
    *("Pad 18", [("Pad", ["x", "p", "", "a"], {})], (2, 3, 4, 5)),
    opset=18,
    consts={"p": i64(1, 2, 3, 0), "a": i64(2, 3)},
)
case("Tile", [("Tile", ["x", "r"], {})], (2, 3, 4), consts={"r": i64(1, 2, 3)})
case("Expand", [("Expand", ["x", "s"], {}), ("Relu", ["t0"], {})], (2, 3, 4), consts={"s": i64(1, 3, 1)})
for kind in ("ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL1"):
    case(f"{kind} 11", [(kind, ["x"], {"axes": [2, 3]})], (2, 3, 4, 5), opset=11)
    case(f"{kind} 18", [(kind, ["x", "a"], {"keepdims": 0})], (2, 3, 4, 5), opset=18, consts={"a": i64(-1, -2)})
case("Constant", [("Constant", [], {"value_float": 2.5}), ("Mul", ["x", "t0"], {})], (2, 3))
case("Half", [("Cast", ["w"], {"to": TensorProto.FLOAT}), ("MatMul", ["x", "t0"], {})], (2, 3), consts={"w": f32(3, 2).astype(np.float16)})

np.savez_compressed(OUT, **made)
print(len(made) // 3, "cases")
