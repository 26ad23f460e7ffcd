"""Utility of a training mix: classifiers, their training, their predictions and the scores of predictions."""
