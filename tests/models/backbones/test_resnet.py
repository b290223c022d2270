"""Our ResNets are torchvision's, name by name and number by number."""

import pytest
import torch
import torchvision

from cdkd.models.backbones.resnet import BACKBONES, BackboneSpec, Bottleneck, build_backbone
from cdkd.models.errors import ModelError


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvision_state_dict_fits_and_computes_the_same(name):
    theirs = getattr(torchvision.models, name)(num_classes=3)
    generator = torch.Generator().manual_seed(0)
    for key, tensor in theirs.state_dict().items():
        if "running_mean" in key:
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
        elif "running_var" in key:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    ours = build_backbone(name)
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert missing == []
    assert unexpected == ["fc.weight", "fc.bias"]
    theirs.fc = torch.nn.Identity()
    images = torch.randn(2, 3, 64, 96, generator=generator)
    with torch.no_grad():
        expected = theirs.eval()(images)
        maps = ours.eval()(images)
    assert maps.shape == (2, ours.num_features, 2, 3)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), expected)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_every_name_has_torchvisions_parameters(name):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)().state_dict()
        ours = build_backbone(name).state_dict()
    shapes = {key: value.shape for key, value in theirs.items() if not key.startswith("fc.")}
    assert {key: value.shape for key, value in ours.items()} == shapes


def test_slim_turns_48_pixels_into_64_by_3_by_3():
    slim = build_backbone("slim", 2, input_norm=True)
    assert [tuple(x.shape) for x in slim.stage_maps(torch.randn(5, 2, 48, 48))] == [
        (5, 16, 12, 12),
        (5, 32, 6, 6),
        (5, 64, 3, 3),
    ]
    assert slim.num_features == 64
    assert BACKBONES["slim"].map_stride == 16
    assert BACKBONES["resnet50"].map_stride == 32


def test_any_width_and_depth_is_the_same_code():
    spec = BackboneSpec(Bottleneck, (1, 2), 8)
    maps = build_backbone(spec, 3)(torch.randn(1, 3, 32, 48))
    assert maps.shape == (1, spec.num_features, 4, 6) == (1, 64, 4, 6)
    assert spec.map_stride == 8


def test_the_input_norm_removes_scale_and_offset():
    backbone = build_backbone("slim", 2, input_norm=True).train()
    images = torch.randn(6, 2, 32, 32)
    torch.testing.assert_close(backbone(images), backbone(images * 9 + 4), rtol=1e-3, atol=1e-4)
    # Nothing to train before conv1: its backward pass need not reach the pictures.
    assert not list(backbone.input_norm.parameters())


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match="unknown backbone 'resnet51'; known: slim, resnet18"):
        build_backbone("resnet51")
