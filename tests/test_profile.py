"""Profiles load, take overrides, and refuse what they do not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import UnknownNameError, UsageError
from benchmark.profile import list_profiles, load_profile


@pytest.mark.parametrize("name", list_profiles())
def test_every_shipped_profile_is_valid_and_named_as_its_file(name: str):
    assert load_profile(name).name == name


def test_an_override_reaches_nested_keys_and_method_parameters():
    profile = load_profile("phantom", ["repetitions=5", "utility.steps=7", "methods.fu_lora.rank=4"])
    assert (profile.repetitions, profile.utility.steps) == (5, 7)
    assert next(entry for entry in profile.methods if entry.name == "fu_lora").parameters["rank"] == 4


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("repetition=5", "repetitions"),
        ("utility.step=5", "utility.steps"),
        ("methods.fulora.rank=4", "fu_lora"),
    ],
)
def test_a_typo_in_an_override_gets_the_nearest_key(override: str, hint: str):
    with pytest.raises(UnknownNameError, match=f"Did you mean {hint}"):
        load_profile("phantom", [override])


@pytest.mark.parametrize("override", ["repetitions=many", "images_per_class=0", "repetitions", "name.first=1"])
def test_a_value_that_does_not_fit_is_a_usage_error_that_names_the_key(override: str):
    with pytest.raises(UsageError, match=override.partition("=")[0].split(".")[0]):
        load_profile("phantom", [override])


def test_an_unknown_profile_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="Did you mean phantom"):
        load_profile("fantom")


def test_a_profile_file_of_the_user_is_read_and_an_unknown_key_in_it_refused(tmp_path: Path):
    text = "name: mine\nsummary: s\nprotocol: phantom\nimages_per_class: 2\ngenerator_steps: 1\n"
    text += "methods: [{name: real_only}]\nutility: {backbones: [{name: resnet18}], recipe: r, augmentations: [none]}\n"
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert load_profile(str(path)).name == "mine"
    path.write_text(text + "image_sise: 64\n")
    with pytest.raises(UsageError, match="image_sise"):
        load_profile(str(path))
