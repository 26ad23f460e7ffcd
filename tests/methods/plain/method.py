"""A stranger's method: the standard library and CONTRACT.md, nothing of the suite. Tests break it, fault by fault."""

import csv
import hashlib
import json
import os
import random
import struct
import sys
import time
import zlib
from pathlib import Path

START = time.monotonic()
SOURCE, OUTPUT = Path(os.environ["BENCH_INPUT"]), Path(os.environ["BENCH_OUTPUT"])


def png(size, noise):
    rows = b"".join(b"\0" + noise.randbytes(size) for _ in range(size))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 1)),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def refuse(reason):
    print(reason, file=sys.stderr)
    sys.exit(2)


def read_request():
    try:
        request = json.loads((SOURCE / "request.json").read_text())
    except ValueError as error:
        refuse(f"request.json: {error}")
    if request["contract_version"] != 1:
        refuse("only version 1 of the contract is spoken here")
    if set(request["parameters"]) != {"rate"}:
        refuse("the only parameter is rate")
    return request, [item["name"] for item in request["classes"]]


def read_training_labels(labels):
    with (SOURCE / "train" / "manifest.csv").open(newline="") as stream:
        found = [row["label"] for row in csv.DictReader(stream)]
    for label in found:
        if label not in labels:
            refuse(f"the training label {label} is no class of the request")
    return found


def train(request):
    for step in range(request["steps"]):
        time.sleep(0.001)
        if time.monotonic() - START > 0.8 * request["deadline_seconds"]:
            return step, True
    return request["steps"], False


def write(request, labels):
    rows = []
    for label in labels:
        folder = OUTPUT / "images" / label
        folder.mkdir(parents=True)
        for index in range(request["images_per_class"]):
            seed = zlib.crc32(f"{request['seed']} {label} {index}".encode())
            data = png(request["image_size"], random.Random(seed))
            (folder / f"{index}.png").write_bytes(data)
            rows.append([f"images/{label}/{index}.png", label, seed, hashlib.sha256(data).hexdigest()])
    with (OUTPUT / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([["file", "label", "seed", "sha256"], *rows])


def main():
    request, labels = read_request()
    trained = read_training_labels(labels)
    steps, late = train(request)
    write(request, [] if late else labels)
    result = {"peak_memory_mib": 0, "trained_parameters": 0, "steps": steps, "notes": [f"{len(trained)} images seen"]}
    (OUTPUT / "result.json").write_text(json.dumps(result))
    if late:
        print("the deadline is reached", file=sys.stderr)
        sys.exit(5)


main()
