"""Images: what they are made of, how they are built, and which ones of this host are current.

Nothing is imported here: `benchmark.images.register` runs in an image that may hold no dependency.
"""
