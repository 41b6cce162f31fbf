"""Writes fixtures/names.json: the names and shapes of torchvision's alexnet and squeezenet1_0 state dicts.

The modules are written out here as torchvision defines them (its models/alexnet.py and models/squeezenet.py).

    python make_torchvision.py            (torch 2.13)
"""

import json
from pathlib import Path

from networks import alexnet, squeezenet

names = {
    "alexnet": {k: list(v.shape) for k, v in alexnet().state_dict().items()},
    "squeezenet": {k: list(v.shape) for k, v in squeezenet().state_dict().items()},
}
(Path(__file__).parent / "fixtures" / "names.json").write_text(json.dumps(names, indent=1) + "\n")
