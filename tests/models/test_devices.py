"""Devices by name, and those that this machine does not have."""

import pytest
import torch

from cdkd.models.devices import DeviceError, choose_device


def test_names_mean_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    assert choose_device("cpu", "--device") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")


def test_a_device_that_is_not_there_is_named_with_its_option():
    with pytest.raises(DeviceError, match=r"^--device=cuda:99: not usable here \(PyTorch finds .*\); use auto or cpu$"):
        choose_device("cuda:99", "--device")
    with pytest.raises(DeviceError, match=r"^runtime\.device=gpu: no device is called so; use auto, cpu, cuda or"):
        choose_device("gpu")
