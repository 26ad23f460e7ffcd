"""Mixtures of three training images of a class under new speckle, written from containers/CONTRACT.md alone."""

import csv
import hashlib
import json
import os
import sys
import time
from itertools import product, takewhile
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np
from PIL import Image

START, INPUT, OUTPUT = time.monotonic(), Path(os.environ["BENCH_INPUT"]), Path(os.environ["BENCH_OUTPUT"])


def end(code, message):
    print(message, file=sys.stderr)
    sys.exit(code)


try:
    request = json.loads((INPUT / "request.json").read_bytes())
    looks, images = request["parameters"].pop("looks"), {item["name"]: [] for item in request["classes"]}
    for row in csv.DictReader((INPUT / "train" / "manifest.csv").read_text().splitlines()):
        images[row["label"]].append(np.asarray(Image.open(INPUT / "train" / row["file"]), dtype=float))
    if request["contract_version"] != 1 or request["parameters"] or looks < 1:
        raise ValueError("contract_version must be 1; looks, 1 or more, is the only parameter")
    wanted, stop = list(product(images, range(request["images_per_class"]))), START + request["deadline_seconds"]
except (OSError, ValueError, LookupError, TypeError) as error:
    end(2, f"bad request: {type(error).__name__}: {error}")
if min(map(len, images.values())) < 3:
    end(3, "every class needs three training images or more: there is nothing to mix")

listed = ["file,label,seed,sha256"]
for label, index in takewhile(lambda _: time.monotonic() < stop, wanted):
    seed = int.from_bytes(hashlib.sha256(f"{request['seed']} {label} {index}".encode()).digest()[:7])
    random = np.random.default_rng(seed)
    mixture = np.average(random.choice(images[label], 3, replace=False), axis=0, weights=random.dirichlet([8, 8, 8]))
    speckled = mixture * random.gamma(looks, 1 / looks, mixture.shape)
    file = OUTPUT / "images" / label / f"{index}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(speckled.round().clip(0, 255).astype(np.uint8)).save(file)
    listed.append(f"{file.relative_to(OUTPUT)},{label},{seed},{hashlib.sha256(file.read_bytes()).hexdigest()}")
(OUTPUT / "manifest.csv").write_text("\n".join([*listed, ""]))
result = {"trained_parameters": 0, "steps": 0, "notes": ["Nothing is trained."]}
(OUTPUT / "result.json").write_text(json.dumps(result | {"peak_memory_mib": getrusage(RUSAGE_SELF).ru_maxrss / 1024}))
end(0 if len(listed) > len(wanted) else 5, f"{len(listed) - 1} of {len(wanted)} images written")
