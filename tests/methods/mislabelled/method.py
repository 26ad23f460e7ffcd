"""Breaks the contract: its images belong to a class that nobody asked for."""

import csv
import os
from pathlib import Path

from benchmark.contract import main


class Mislabelled:
    def fit(self, train, context):
        self.images = train.images

    def sample(self, label, n, context):
        return self.images[:n]


if __name__ == "__main__":
    try:
        main(lambda context: Mislabelled())
    finally:
        path = Path(os.environ["BENCH_OUTPUT"], "manifest.csv")
        rows = list(csv.reader(path.open()))
        path.write_text("\n".join(",".join(row).replace("other,", "cervix,") for row in rows) + "\n")
