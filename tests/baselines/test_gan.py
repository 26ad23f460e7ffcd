from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from baselines.gan import Gan
from baselines.gan.augment import brightness, contrast, cutout, diff_augment, translate
from baselines.gan.networks import Discriminator, Generator, hinge_discriminator
from benchmark.contract import BadRequest
from tests.baselines.conftest import Case


@pytest.mark.parametrize("size", [32, 64, 128])
def test_any_power_of_two_from_32_px_is_made_and_judged(size: int) -> None:
    generator, discriminator = Generator(size, 5, 8, 8), Discriminator(size, 5, 8)
    classes = torch.arange(4)
    images = generator(torch.randn(4, 8), classes)
    assert images.shape == (4, 1, size, size) and images.abs().max() <= 1
    assert discriminator(images, classes).shape == (4,)


def test_other_sizes_are_a_bad_request(case: Callable[..., Case]) -> None:
    with pytest.raises(BadRequest, match="not 48"):
        Gan(case("gan", image_size=48).context)


def test_scores_depend_on_the_class_as_well_as_on_the_image() -> None:
    torch.manual_seed(0)
    discriminator, images = Discriminator(32, 5, 8), torch.randn(4, 1, 32, 32)
    scores = [discriminator(images, torch.full((4,), label)) for label in (0, 1)]
    assert not torch.allclose(*scores)


def test_a_repeated_image_is_scored_otherwise_than_a_varied_batch() -> None:
    torch.manual_seed(0)
    discriminator, images = Discriminator(32, 5, 8).eval(), torch.randn(4, 1, 32, 32)
    classes = torch.zeros(4, dtype=torch.long)
    varied = discriminator(images, classes)[0]
    assert not torch.allclose(discriminator(images[:1].repeat(4, 1, 1, 1), classes)[0], varied)


def test_the_hinge_is_satisfied_beyond_its_margins() -> None:
    assert hinge_discriminator(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, -3.0])) == 0
    assert hinge_discriminator(torch.zeros(2), torch.zeros(2)) == 2


def test_augmentation_lets_gradients_through_and_keeps_the_shape() -> None:
    images = torch.rand(8, 1, 32, 32, requires_grad=True)
    changed = diff_augment(images)
    changed.sum().backward()
    assert changed.shape == images.shape and (images.grad != 0).any()  # type: ignore[union-attr]


def test_translation_moves_by_at_most_an_eighth() -> None:
    torch.manual_seed(0)
    images = torch.full((200, 1, 32, 32), -1.0)
    images[:, :, 16, 16] = 1
    places = (translate(images) > 0).nonzero()
    assert len(places) == 200
    shifts = places[:, 2:] - 16
    assert shifts.min() == -4 and shifts.max() == 4


def test_cutout_hides_at_most_half_by_half() -> None:
    torch.manual_seed(0)
    hidden = (cutout(torch.ones(300, 1, 32, 32)) == 0).float().mean(dim=(1, 2, 3))
    assert hidden.min() > 0 and hidden.max() == 0.25


def test_brightness_moves_the_mean_and_contrast_does_not() -> None:
    torch.manual_seed(0)
    images = torch.rand(8, 1, 16, 16)
    means = [change(images).mean(dim=(1, 2, 3)) - images.mean(dim=(1, 2, 3)) for change in (brightness, contrast)]
    assert means[0].abs().max() > 0.1 and means[0].abs().max() <= 0.5
    assert means[1].abs().max() < 1e-5


def test_the_averaged_generator_has_normalisation_statistics_of_its_own(case: Callable[..., Case]) -> None:
    made = case("gan", parameters={"steps": 6})
    gan = Gan(made.context)
    gan.fit(made.train, made.context)
    tracked = [module.running_mean for module in gan.average.modules() if hasattr(module, "running_mean")]
    assert tracked and all(mean.abs().sum() > 0 for mean in tracked)
    current = gan.generator.start.weight
    assert not torch.equal(gan.average.start.weight, current) and made.context.steps == 6
