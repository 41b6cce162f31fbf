#!/usr/bin/env python3
"""Times PyTorch on single layers, on the CPU: shapes.ts asks for one after the other.

    python3 shapes_peers.py THREADS SECONDS

Says its version in the first line. Each further line answers one of the input, a case as in shapes.json with its batch:
milliseconds by pass, the median of at least ten runs in the faster of both layouts. Nothing is copied in or out.
"""
import json, statistics, sys, time

import torch
import torch.nn.functional as F

threads, seconds = int(sys.argv[1]), float(sys.argv[2])
torch.set_num_threads(threads)


def median_ms(run):
    run()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 10:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def convolution(case, x, layout):
    stride, pad, groups = [case["stride"]] * 2, case["pad"], case["groups"]
    dilation, filters, transposed = [case["dilation"]] * 2, case["filters"], case["op"] == "deconv2d"
    shape = (x.shape[1], filters // groups) if transposed else (filters, x.shape[1] // groups)
    weight = torch.randn(*shape, *case["kernel"]).contiguous(memory_format=layout)
    bias = torch.randn(filters)
    if transposed:
        forward = lambda: F.conv_transpose2d(x, weight, bias, stride, pad, 0, groups, dilation)
    else:
        forward = lambda: F.conv2d(x, weight, bias, stride, pad, dilation, groups)
    dy = torch.randn_like(forward())
    backward = lambda mask: torch.ops.aten.convolution_backward(
        dy, x, weight, [filters], stride, pad, dilation, transposed, [0, 0], groups, mask)
    return {"forward": forward, "dgrad": lambda: backward([True, False, False]),
            "wgrad": lambda: backward([False, True, True])}


def pooling(case, x, layout):
    pool = F.max_pool2d if case["op"] == "maxPool" else F.avg_pool2d
    with torch.enable_grad():
        x = x.requires_grad_()
        forward = lambda: pool(x, case["kernel"], case["stride"], case["pad"])
        y = forward()
    dy = torch.randn_like(y)
    return {"forward": forward, "grad": lambda: torch.autograd.grad(y, x, dy, retain_graph=True)}


print(json.dumps({"peer": f"torch-{torch.__version__}"}), flush=True)
with torch.no_grad():
    for line in sys.stdin:
        case = {"stride": 1, "pad": [0, 0], "dilation": 1, "groups": 1, **json.loads(line)}
        best = {}
        for layout in (torch.contiguous_format, torch.channels_last):
            x = torch.randn(case["batch"], *case["image"]).contiguous(memory_format=layout)
            build = pooling if case["op"].endswith("Pool") else convolution
            for name, run in build(case, x, layout).items():
                best[name] = min(best.get(name, float("inf")), median_ms(run))
        print(json.dumps(best), flush=True)
