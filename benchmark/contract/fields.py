"""What every field of the contract means, in the words of the documents: model, field, meaning ("" for the whole)."""

from __future__ import annotations

MEANINGS: dict[str, dict[str, str]] = {
    "Request": {
        "": "All that a method is told: request.json holds exactly these fields.",
        "contract_version": "Version of the contract that the request is written in.",
        "method": "Name of the method that is asked.",
        "parameters": "Every parameter of method.toml, with the types of the defaults.",
        "seed": "The only source of randomness.",
        "classes": "The classes to synthesise, in the order of the response. No name occurs twice.",
        "images_per_class": "Synthetic images wanted of every class.",
        "image_size": "Side of the square images in pixels, of training and synthetic images alike.",
        "steps": "Optimiser steps of the generator, the budget that methods share. May be ignored, with a note.",
        "device": "Where to compute. On `cuda` without a GPU end with 4; never fall back.",
        "deadline_seconds": "Wall-clock seconds from the start of the process.",
    },
    "ClassSpec": {
        "": "One class to synthesise.",
        "name": "The label, as in both manifests and in the names of folders.",
        "prompt": "A caption that stands for the class, for methods that are told in words.",
    },
    "Result": {
        "": "What a method tells about its own run: result.json holds these fields and no others.",
        "timings": "Seconds per stage: fit_seconds, sample_seconds, and others if you like.",
        "peak_memory_mib": "Largest resident memory of the process in MiB.",
        "peak_gpu_memory_mib": "Largest memory allocated on the accelerator in MiB; null or left out without one.",
        "trained_parameters": "How many numbers the optimiser could change; 0 if nothing is trained.",
        "steps": "Optimiser steps of the generator that were really taken.",
        "notes": "What a reader of the leaderboard should know, one sentence each.",
        "versions": "Versions of the packages that made the images, by name.",
    },
    "MethodSpec": {
        "": "One method, as its method.toml describes it.",
        "name": "Name in commands, records and tables; unique in a run.",
        "version": "Raised by the author whenever results may change.",
        "summary": "One sentence for listings.",
        "synthesizes": "false for a method that yields no image (a control).",
        "command": (
            "Argument list, no shell. `{python}` stands for the interpreter of the suite (in an image: python3), "
            "`{folder}` for the method's folder (in an image: /method)."
        ),
        "parameters": "Every parameter with its default, which fixes its type.",
        "needs": "What the method needs of the machine.",
        "source": "Further files that its results depend on.",
        "container": "The image that the suite looks for when it is asked for the method by name.",
        "tuning": "How the defaults were chosen, and on what; shown on the leaderboard.",
    },
    "Needs": {
        "": "What a method needs of the machine that runs it.",
        "gpu": "Whether it needs a GPU. A run without one skips it.",
        "memory_mib": "Memory in MiB that it needs in ordinary use. A run that grants less skips it.",
        "model": '"base" for a method that needs the base pipeline (a diffusers folder) in BENCH_MODEL.',
        "extras": "Names of Python extras that it needs, for listings.",
    },
    "Source": {
        "": "Files outside the method's folder that its results depend on.",
        "also": "Paths relative to the folder; their content counts as the method's own.",
    },
    "Container": {
        "": "How the method is found as a container image.",
        "image": "Last part of the image's name; by default the method's name with - for _.",
    },
}
