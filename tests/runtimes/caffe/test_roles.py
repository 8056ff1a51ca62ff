"""What of a Caffe network a sample must bring, wherever and however the caffemodel stores it."""

import numpy as np
import pytest

from tests.runtimes.caffe import files, nets

EVERY = pytest.mark.parametrize("kind", nets.NETWORKS)


def stored_as(kind, how):
    """The bytes of a caffemodel in which the same blobs are stored in another way."""
    _, shapes, _ = nets.NETWORKS[kind]
    learned = nets.weights(shapes)
    if how == "half":
        return files.caffemodel({n: [a.astype("float16") for a in of] for n, of in learned.items()})
    if how == "double":
        return files.caffemodel({n: [a.astype("float64") for a in of] for n, of in learned.items()})
    layer = files.old_layer if how == "version 1" else files.layer
    return files.field(1, b"net") + b"".join(
        layer(name, [files.blob(array, old=array.ndim <= 4 and how != "float") for array in of])
        for name, of in learned.items()
    )


@EVERY
@pytest.mark.parametrize("how", ["half", "double", "old shapes", "version 1"])
def test_the_way_of_storing_blobs_changes_no_role(kind, how, tmp_path):
    text = nets.NETWORKS[kind][0]
    with nets.opened(tmp_path / "float", text, stored_as(kind, "float")) as network:
        expected = dict(network.inventory.roles), network.counts
    with nets.opened(tmp_path / "other", text, stored_as(kind, how)) as network:
        assert (dict(network.inventory.roles), network.counts) == expected
        network.check_replaceable()


def test_a_single_number_may_be_left_out_or_brought_with_any_value(tmp_path):
    with nets.opened(tmp_path, nets.CNN, nets.weights(nets.CNN_SHAPES)) as network:
        assert list(network.scalars) == ["bn1/scale_factor"]
        inputs, own = nets.inputs_of(network), dict(network.parameters)
        as_saved = network.bind().run(inputs)
        assert nets.same(network.bind(own).run(inputs), as_saved)
        other = own | {"bn1/scale_factor": np.float64([[0.125]])}
        assert not nets.same(network.bind(other).run(inputs), as_saved)
