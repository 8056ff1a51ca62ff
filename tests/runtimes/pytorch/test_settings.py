"""How PyTorch is run: one thread, repeatable, and without a trace in the process."""

import builtins
import sys

import numpy as np
import pytest
import torch

from conformance.runtimes.pytorch.settings import ENVIRONMENT, settings_of, settled
from conformance.verdicts import NotRunError
from tests.runtimes.pytorch import files, nets

PYTORCH = pytest.mark.parametrize("form", ["torchscript", "torch-export"])


def state_of_the_process():
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.get_float32_matmul_precision(),
        torch._C._get_mkldnn_enabled(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
    )


def test_computations_have_one_thread_and_no_gradients():
    with settled(torch):
        assert state_of_the_process() == (1, True, False, "highest", False, False, True)


def test_the_settings_of_the_process_are_given_back():
    torch.set_num_threads(2)
    before = state_of_the_process()
    with pytest.raises(KeyError), settled(torch):
        raise KeyError
    assert state_of_the_process() == before


@PYTORCH
def test_settings_and_versions_are_reported(saved, form):
    with files.opened(form, saved(form, "cnn")) as network:
        assert network.settings["threads"] == "1"
        assert set(ENVIRONMENT) <= set(network.settings)
        assert network.versions["torch"] == torch.__version__
        assert network.settings == settings_of(torch)


@PYTORCH
def test_threads_of_the_process_do_not_change_a_bit(saved, form):
    with files.opened(form, saved(form, "cnn")) as network:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(network.bind().run(nets.inputs("cnn", 64))["output"].tobytes())
    assert found[0] == found[1]


def test_a_network_that_was_trained_in_this_process_is_not_touched(saved):
    net = nets.build("cnn").train()
    with files.opened("torchscript", saved("torchscript", "cnn")) as network:
        network.bind().run(nets.inputs("cnn"))
    assert net.training
    assert torch.is_grad_enabled()


@PYTORCH
def test_without_pytorch_the_command_that_installs_it_is_named(saved, form, monkeypatch):
    given = saved(form, "cnn")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(NotRunError, match=f"{form!r} needs torch") as caught:
        files.opened(form, given)
    assert "pip install 'nnr-conformance[pytorch]'" in caught.value.fix


def test_a_state_dict_needs_no_pytorch(saved, monkeypatch):
    given = saved("torch-state-dict", "cnn")
    real = builtins.__import__

    def guarded(name, *rest, **more):
        assert name.partition(".")[0] != "torch"
        return real(name, *rest, **more)

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(builtins, "__import__", guarded)
    with files.opened("torch-state-dict", given) as network:
        assert np.isfinite(network.bind().run(nets.inputs("cnn"))["output"]).all()
        assert "torch" not in network.versions
