"""Writes some images and then runs into its deadline."""

from benchmark.contract import main
from benchmark.contract.exits import DeadlineReached


class Late:
    def fit(self, train, context):
        self.images = train.images

    def sample(self, label, n, context):
        if label == "brain":
            raise DeadlineReached("the deadline is reached")
        return self.images[:n]


if __name__ == "__main__":
    main(lambda context: Late())
