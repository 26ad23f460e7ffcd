"""The embedded base pipeline: a small Stable Diffusion for 64 px fetal ultrasound, and how it was made.

`pipeline/` is the folder that methods load; `python -m baselines.base_model.train` makes it.
"""
