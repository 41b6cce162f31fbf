#!/usr/bin/env python3
"""Times PyTorch on a training step of Caffe's two CIFAR-10 nets, on the CPU.

    python3 cifar10_peers.py [--threads N] [--seconds S] [--case REGEX]

One JSON line per case, as bench/README.md describes. A step is forward, softmax cross-entropy, backward and SGD with
momentum 0.9 and weight decay, on 100 random images of 3 x 32 x 32.
"""
import argparse, json, re, statistics, time

import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--seconds", type=float, default=3)
parser.add_argument("--case", default=".")
args = parser.parse_args()
if args.threads:
    torch.set_num_threads(args.threads)


class Within(nn.Module):
    """Caffe's LRN WITHIN_CHANNEL: size 3, alpha 5e-5, beta 0.75."""

    def forward(self, x):
        return x / (1 + 5e-5 * F.avg_pool2d(x * x, 3, 1, 1)) ** 0.75


def conv(channels, filters):
    return nn.Conv2d(channels, filters, 5, padding=2)


def quick():
    maximum, mean = nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(conv(3, 32), maximum, nn.ReLU(), conv(32, 32), nn.ReLU(), mean, conv(32, 64), nn.ReLU(), mean,
                         nn.Flatten(), nn.Linear(1024, 64), nn.Linear(64, 10))


def full():
    maximum, mean = nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(conv(3, 32), maximum, nn.ReLU(), Within(), conv(32, 32), nn.ReLU(), mean, Within(),
                         conv(32, 64), nn.ReLU(), mean, nn.Flatten(), nn.Linear(1024, 10))


def median_ms(step):
    for _ in range(3):
        step()
    times, end = [], time.perf_counter() + args.seconds
    while time.perf_counter() < end or len(times) < 10:
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), len(times)


for case, build in (("cifar10-quick/train", quick), ("cifar10-full/train", full)):
    for name, compiled, layout in (("eager", False, torch.contiguous_format),
                                   ("eager+channels_last", False, torch.channels_last),
                                   ("compile", True, torch.contiguous_format),
                                   ("compile+channels_last", True, torch.channels_last)):
        peer = f"torch-{torch.__version__}-cpu:{name}"
        if not re.search(args.case, f"{peer}/{case}/b100"):
            continue
        net = build().to(memory_format=layout)
        run = torch.compile(net) if compiled else net
        x = torch.randn(100, 3, 32, 32).to(memory_format=layout)
        y = torch.randint(0, 10, (100,))
        sgd = torch.optim.SGD(net.parameters(), 1e-4, 0.9, weight_decay=5e-4)

        def step():
            sgd.zero_grad(set_to_none=True)
            F.cross_entropy(run(x), y).backward()
            sgd.step()

        ms, repeats = median_ms(step)
        print(json.dumps({"peer": peer, "case": case, "batch": 100, "ms": round(ms, 3),
                          "images_per_s": round(1e5 / ms, 1), "repeats": repeats}), flush=True)
