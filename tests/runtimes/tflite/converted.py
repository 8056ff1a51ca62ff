"""Writes real TFLite models with TensorFlow's converter, and what Keras computes with them.

It is run as a program, in its own process, so that no test process holds TensorFlow::

    python converted.py FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"})

import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])
IMAGES = np.random.default_rng(7).normal(size=(5, 8, 8, 1)).astype(np.float32)
ROWS = np.random.default_rng(8).normal(size=(1, 6, 4)).astype(np.float32)


def cnn(seed: int) -> tf.keras.Model:
    tf.keras.utils.set_random_seed(seed)
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3, padding="same", activation="relu", bias_initializer="uniform"),
            layers.DepthwiseConv2D(3, padding="same", bias_initializer="uniform"),
            layers.MaxPool2D(),
            layers.Flatten(),
            layers.Dense(20, activation="relu", bias_initializer="uniform"),
            layers.Dense(3, name="logits", bias_initializer="uniform"),
        ]
    )


def samples():
    for image in np.random.default_rng(9).normal(size=(8, 1, 8, 8, 1)).astype(np.float32):
        yield [image]


def of_keras(model: tf.keras.Model, **settings: object) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in settings.items():
        setattr(converter, name, value)
    return converter.convert()


def of_function(function: object, *shapes: tuple[int, ...]) -> bytes:
    specs = [tf.TensorSpec(shape, tf.float32, name=f"x{i}") for i, shape in enumerate(shapes)]
    holder = tf.Module()
    holder.serve = tf.function(function, input_signature=specs)
    concrete = [holder.serve.get_concrete_function()]
    return tf.lite.TFLiteConverter.from_concrete_functions(concrete, holder).convert()


def lstm() -> tuple[bytes, bytes, np.ndarray]:
    """An LSTM as a loop, as one operator with its own state, and its output."""
    tf.keras.utils.set_random_seed(3)
    layers = tf.keras.layers
    model = tf.keras.Sequential([tf.keras.Input((6, 4)), layers.LSTM(5), layers.Dense(2)])
    loop = of_function(model, (1, 6, 4))
    fixed = tf.keras.Sequential([tf.keras.Input((6, 4), batch_size=1), *model.layers])
    whole = of_keras(fixed)
    return loop, whole, model(ROWS).numpy()


def loop(x: tf.Tensor) -> tf.Tensor:
    weights = tf.constant(np.random.default_rng(4).normal(size=(4, 4)).astype(np.float32) / 2)
    more = lambda value: tf.reduce_sum(tf.abs(value)) > 0.5  # noqa: E731
    return tf.while_loop(more, lambda value: [tf.tanh(tf.matmul(value, weights)) / 2], [x])[0]


def shared(x: tf.Tensor) -> tf.Tensor:
    weights = np.random.default_rng(5).normal(size=(4, 4)).astype(np.float32)
    hidden = tf.nn.relu(tf.matmul(x, tf.constant(weights)))
    return tf.matmul(hidden, tf.constant(weights)) * tf.constant(weights[0])


def looked_up(x: tf.Tensor) -> tf.Tensor:
    """Rows of a table of integers, by computed and by stored indices; a mask, a scale, a bound."""
    rng = np.random.default_rng(6)
    table = tf.constant(rng.integers(-90, 90, (7, 4)).astype(np.int32))
    other = tf.constant(rng.integers(-90, 90, (7, 4)).astype(np.int32))
    rows = tf.gather(table, tf.cast(tf.abs(x[:, 0]), tf.int32) % 7)
    one = tf.gather(other, [3])
    more = tf.raw_ops.AddV2(x=rows, y=tf.tile(one, tf.stack([tf.shape(x)[0], 1])))
    mask = tf.constant(np.triu(np.full((4, 4), -1e9, np.float32), 1))
    weights = tf.constant(rng.normal(size=(4, 4)).astype(np.float32))
    hidden = tf.matmul(x + tf.cast(more, tf.float32), weights) * 0.125
    masked = tf.nn.softmax(hidden[:, tf.newaxis] + mask)
    padded = tf.pad(masked, [[0, 0], [1, 1], [0, 0]], constant_values=0.5)
    return tf.transpose(padded, [0, 2, 1])


class Counter(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(tf.zeros([1, 4]))

    @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32)])
    def serve(self, x: tf.Tensor) -> tf.Tensor:
        return self.count.assign_add(x)


def counter() -> bytes:
    module = Counter()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.serve.get_concrete_function()], module
    )
    converter.experimental_enable_resource_variables = True
    return converter.convert()


def main() -> None:
    first, second = cnn(1), cnn(2)
    small = [tf.lite.Optimize.DEFAULT]
    whole = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    unfused, fused, rows_out = lstm()
    models = {
        "cnn": of_keras(first),
        "other": of_keras(second),
        "dynamic": of_keras(first, optimizations=small),
        "half": of_keras(
            first, optimizations=small, target_spec=tf.lite.TargetSpec(supported_types=[tf.float16])
        ),
        "int8": of_keras(
            first,
            optimizations=small,
            representative_dataset=samples,
            target_spec=tf.lite.TargetSpec(supported_ops=whole),
            inference_input_type=tf.int8,
            inference_output_type=tf.int8,
        ),
        "lstm": fused,
        "lstm-loop": unfused,
        "loop": of_function(loop, (1, 4)),
        "shared": of_function(shared, (2, 4)),
        "looked-up": of_function(looked_up, (None, 4)),
        "random": of_function(lambda x: x + tf.random.normal([1, 4]), (1, 4)),
        "counter": counter(),
    }
    for name, content in models.items():
        (FOLDER / f"{name}.tflite").write_bytes(content)
    np.savez(
        FOLDER / "expected.npz",
        images=IMAGES,
        cnn=first(IMAGES).numpy(),
        other=second(IMAGES).numpy(),
        rows=ROWS,
        lstm=rows_out,
    )


main()
