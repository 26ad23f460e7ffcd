"""fulora-bench: fidelity and cross-cohort utility of synthetic fetal ultrasound images."""

__version__ = "0.1.0"
