#!/usr/bin/env python3
"""Times PyTorch on AlexNet the ways that its users go on a GPU, beside those of the script that CORTADO_PEERS names.

    python3 gpu_peers.py [--device cpu|cuda] [--threads N] [--seconds S] [--case REGEX]

Net and rules are that script's: BVLC's AlexNet with random weights and images. `infer` is forward alone; `train` is
forward with dropout, softmax cross-entropy, backward and SGD with momentum 0.9 and weight decay 5e-4. One JSON line per
case, as bench/README.md describes; a figure is the median of runs that end with the GPU's work.

Variants: `eager`; `compile-default` is torch.compile without a mode; `+channels_last` is where images lie; `+bf16` is
autocast; `+tf32` lets products and convolutions round to it; `+graph` is one CUDA graph of the whole run, recorded once.
"""
import argparse, json, re, statistics, time

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--seconds", type=float, default=3)
parser.add_argument("--case", default=".")
args = parser.parse_args()

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as error:
    print(json.dumps({"peer": "torch", "error": f"not installed: {error}"}), flush=True)
    raise SystemExit(0)

if args.threads:
    torch.set_num_threads(args.threads)
torch.backends.cudnn.benchmark = True
CUDA = args.device.startswith("cuda")
CASES = [("infer", 1), ("infer", 128), ("infer", 256), ("train", 128), ("train", 256)]


def variants():
    """Name, precision, layout, and how the run is made."""
    first, last = torch.contiguous_format, torch.channels_last
    for precision in "bf16", "tf32", "float32":
        # TF32 is of GPUs, and so are CUDA graphs.
        if precision == "tf32" and not CUDA:
            continue
        suffix = "" if precision == "float32" else f"+{precision}"
        yield f"eager+channels_last{suffix}", precision, last, "eager"
        if CUDA:
            yield f"eager+channels_last{suffix}+graph", precision, last, "graph"
        yield f"compile-default+channels_last{suffix}", precision, last, "compile"
    if CUDA:
        yield "eager+graph", "float32", first, "graph"


def alexnet():
    def conv(channels, filters, size, **more):
        return nn.Conv2d(channels, filters, size, **more), nn.ReLU(inplace=True)

    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    def dense(inputs, outputs):
        return nn.Linear(inputs, outputs), nn.ReLU(inplace=True), nn.Dropout(0.5)

    def norm():
        return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

    net = nn.Sequential(
        *conv(3, 96, 11, stride=4), norm(), pool(), *conv(96, 256, 5, padding=2, groups=2), norm(), pool(),
        *conv(256, 384, 3, padding=1), *conv(384, 384, 3, padding=1, groups=2),
        *conv(384, 256, 3, padding=1, groups=2), pool(),
        nn.Flatten(), *dense(9216, 4096), *dense(4096, 4096), nn.Linear(4096, 1000))
    for name, parameter in net.named_parameters():
        nn.init.zeros_(parameter) if name.endswith("bias") else nn.init.normal_(parameter, std=0.01)
    return net


def make_run(work, batch, precision, layout, how):
    """A function that does the whole work once."""
    net = alexnet().to(args.device, memory_format=layout).train(work == "train")
    x = torch.randn(batch, 3, 227, 227, device=args.device).to(memory_format=layout)
    y = torch.randint(0, 1000, (batch,), device=args.device)
    forward = torch.compile(net) if how == "compile" else net
    cast = lambda: torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=precision == "bf16")
    sgd = torch.optim.SGD(net.parameters(), 0.01, 0.9, weight_decay=5e-4, fused=CUDA or None)

    def infer():
        with torch.no_grad(), cast():
            return forward(x)

    def step():
        with cast():
            loss = F.cross_entropy(forward(x), y)
        loss.backward()
        sgd.step()

    def train():
        sgd.zero_grad(set_to_none=True)
        step()

    if how != "graph":
        return infer if work == "infer" else train
    if work == "infer":
        return record(infer, infer)
    return record(train, step, before=lambda: sgd.zero_grad(set_to_none=True))


def record(run, recorded, before=lambda: None):
    """The replay of `recorded`. As "CUDA graphs" in PyTorch's notes asks: after some runs on a stream beside, and with
    gradients set to None first, so that backward makes them in the graph's own memory and each replay overwrites them."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    before()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = recorded()

    def replay():
        graph.replay()
        # What the graph reads and writes lives as long as this does.
        return recorded, kept

    return replay


def sample(run):
    wait = torch.cuda.synchronize if CUDA else lambda: None
    for _ in range(5 if CUDA else 2):
        run()
    wait()
    times, end = [], time.perf_counter() + args.seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        wait()
        times.append((time.perf_counter() - start) * 1e3)
    return times


for name, precision, layout, how in variants():
    peer = f"torch-{torch.__version__}-{args.device}:{name}"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    for work, batch in CASES:
        line = {"peer": peer, "case": f"bvlc/{work}", "batch": batch}
        if not re.search(args.case, f"{peer}/bvlc/{work}/b{batch}"):
            continue
        try:
            torch.compiler.reset()
            times = sample(make_run(work, batch, precision, layout, how))
            ms = statistics.median(times)
            line |= {"ms": round(ms, 3), "images_per_s": round(batch / ms * 1e3, 1), "repeats": len(times)}
        except Exception as error:  # what this GPU or build lacks is a line of the report
            line |= {"error": str(error)[:200]}
        print(json.dumps(line), flush=True)
