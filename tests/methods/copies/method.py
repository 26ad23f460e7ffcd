"""Yields shifted copies of its training images; with shuffled labels if asked."""

import numpy as np

from benchmark.contract import main


class Copies:
    def fit(self, train, context):
        self.images, self.labels = train.images, np.array(train.labels)
        if context.request.parameters["shuffled"]:
            self.labels = np.random.default_rng(context.seed("labels")).permutation(self.labels)

    def sample(self, label, n, context):
        random = np.random.default_rng(context.seed("picks", label))
        own = self.images[self.labels == label]
        return np.stack([np.roll(own[random.integers(len(own))], random.integers(-2, 3), axis=1) for _ in range(n)])


if __name__ == "__main__":
    main(lambda context: Copies())
