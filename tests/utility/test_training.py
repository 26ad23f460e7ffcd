from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.errors import BenchError, UnknownNameError
from benchmark.utility import training
from benchmark.utility.backbones import BackboneSpec
from benchmark.utility.recipe import RECIPES, Recipe, load_recipe
from benchmark.utility.training import TrainingOptions, predict, train_classifier

TINY = BackboneSpec("test_resnet")  # timm's own test network: 0.4 M parameters


def _recipe(**changes: object) -> Recipe:
    return Recipe.model_validate({**RECIPES["scratch-64"].model_dump(), "steps": 6, "precision": "fp32", **changes})


def _images(n: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Five classes that differ in where a bright square stands."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 5
    images = generator.integers(0, 60, size=(n, 64, 64)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[8 + 10 * label : 16 + 10 * label, 24:40] = 220
    return images, labels


def test_equal_arguments_give_equal_predictions_whatever_the_caller_drew_before() -> None:
    images, labels = _images(40)
    one = predict(train_classifier(images, labels, _recipe(), TINY, TrainingOptions("light", 7)), images)
    torch.manual_seed(999)
    state = torch.get_rng_state()
    two = predict(train_classifier(images, labels, _recipe(), TINY, TrainingOptions("light", 7)), images)
    assert np.array_equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)
    other = predict(train_classifier(images, labels, _recipe(), TINY, TrainingOptions("light", 8)), images)
    assert not np.array_equal(one, other)


def test_cudnn_stays_on_and_deterministic_while_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spy(images: torch.Tensor, name: str, generator: torch.Generator) -> torch.Tensor:
        cudnn = torch.backends.cudnn
        seen.append((cudnn.enabled, cudnn.deterministic, cudnn.benchmark))
        return images

    monkeypatch.setattr(training, "augment", spy)
    images, labels = _images(20)
    train_classifier(images, labels, _recipe(steps=1), TINY, TrainingOptions("light", 0))
    assert set(seen) == {(True, True, False)}


def test_a_small_network_learns_planes_that_are_easy_to_tell_apart() -> None:
    images, labels = _images(100)
    unseen, truth = _images(50, seed=1)
    options = TrainingOptions("none", 0)
    classifier = train_classifier(images, labels, _recipe(steps=40, batch=16), TINY, options)
    probabilities = predict(classifier, unseen)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert (probabilities.argmax(axis=1) == truth).mean() > 0.9


def test_weights_and_augmentation_depend_on_the_seed_and_not_on_the_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    draws: list[torch.Tensor] = []
    weights: list[torch.Tensor] = []
    real_augment, real_create = training.augment, training.create_backbone

    def spy_augment(images: torch.Tensor, name: str, generator: torch.Generator) -> torch.Tensor:
        draws.append(generator.get_state())
        return real_augment(images, name, generator)

    def spy_create(*arguments: object) -> torch.nn.Module:
        network = real_create(*arguments)
        weights.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
        return network

    monkeypatch.setattr(training, "augment", spy_augment)
    monkeypatch.setattr(training, "create_backbone", spy_create)
    for count in (30, 90):
        images, labels = _images(count)
        train_classifier(images, labels, _recipe(steps=3), TINY, TrainingOptions("light", 5))
    assert torch.equal(weights[0], weights[1])
    assert all(torch.equal(a, b) for a, b in zip(draws[:3], draws[3:], strict=True))


def test_every_mix_takes_the_recipe_s_steps() -> None:
    images, labels = _images(20)
    seen: list[tuple[int, int]] = []
    options = TrainingOptions("none", 0, progress=lambda done, total: seen.append((done, total)))
    classifier = train_classifier(images, labels, _recipe(steps=5, batch=8), TINY, options)
    assert classifier.steps == 5
    assert seen == [(step, 5) for step in range(1, 6)]


def test_weighted_loss_makes_a_rare_class_weigh_as_much_as_a_frequent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = _images(40)
    labels = np.where(labels == 4, 4, 0)
    given: list[torch.Tensor | None] = []
    plain = training.F.cross_entropy

    def spy(*arguments: torch.Tensor, weight: torch.Tensor | None = None, **options: float) -> torch.Tensor:
        given.append(weight)
        return plain(*arguments, weight=weight, **options)

    monkeypatch.setattr(training.F, "cross_entropy", spy)
    train_classifier(images, labels, _recipe(steps=1), TINY, TrainingOptions("none", 0, balance="loss"))
    train_classifier(images, labels, _recipe(steps=1), TINY, TrainingOptions("none", 0))
    assert given[0] is not None and given[0].tolist() == [0.625, 0, 0, 0, 2.5]  # 40 / (2 x 32), 40 / (2 x 8)
    assert given[1] is None
    with pytest.raises(UnknownNameError, match="sampling"):
        train_classifier(images, labels, _recipe(), TINY, TrainingOptions("none", 0, balance="smapling"))


def test_a_recipe_brings_images_to_its_own_size() -> None:
    images, labels = _images(16)
    classifier = train_classifier(images, labels, _recipe(steps=1, image_size=32), TINY, TrainingOptions("da", 0))
    assert predict(classifier, images).shape == (16, 5)
    assert predict(classifier, images[:0]).shape == (0, 5)


def test_unusable_training_sets_are_refused_before_any_step() -> None:
    images, labels = _images(10)
    options = TrainingOptions("light", 0)
    with pytest.raises(BenchError, match="uint8"):
        train_classifier(images.astype(np.float32), labels, _recipe(), TINY, options)
    with pytest.raises(BenchError, match="must lie in 0 to 4"):
        train_classifier(images, labels + 1, _recipe(), TINY, options)
    with pytest.raises(BenchError, match="above 0"):
        train_classifier(images[:0], labels[:0], _recipe(), TINY, options)
    with pytest.raises(UnknownNameError, match="light"):
        train_classifier(images, labels, _recipe(), TINY, TrainingOptions("ligth", 0))


def test_the_paper_s_preset_is_the_study_s_recipe_and_steps_can_be_replaced() -> None:
    recipe = load_recipe("paper-2407.20072")
    assert (recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.batch) == ("sgd", 1e-3, 0.9, 24)
    assert recipe.steps == 20 * (6148 // 24 + 1)
    assert (recipe.image_size, recipe.normalise, recipe.schedule) == (224, "unit", "constant")
    assert load_recipe("scratch-64", steps=3).steps == 3
    with pytest.raises(UnknownNameError, match="scratch-64"):
        load_recipe("scratch-46")
