"""Cases of recurrent layers and embeddings."""

import numpy as np

from tests.runtimes.caffe import reference as ref
from tests.runtimes.caffe.case import Case


def lstm_blobs(width, hidden, static=None, gates=4):
    rows = gates * hidden
    return (
        (rows, width),
        (rows,),
        *([(rows, static)] if static else []),
        (rows, hidden),
        *([(hidden, hidden), (hidden,)] if gates == 1 else []),
    )


def marks(steps, streams):
    """Marks of sequences that begin at different steps."""
    cont = np.ones((steps, streams), np.float32)
    cont[0] = 0
    cont[2, 1] = 0
    return cont


def sequence(*shapes):
    rng = np.random.default_rng(3)
    x, cont, *rest = shapes
    return [
        rng.normal(size=x).astype(np.float32),
        marks(*cont),
        *(rng.normal(size=shape).astype(np.float32) for shape in rest),
    ]


def recurrent(id, type, shapes, blobs, expected, options="", made=1):
    text = f"recurrent_param {{ num_output: 5 {options} }}"
    case = Case(f"{type.lower()} {id}", type, text, expected, shapes, blobs, made)
    case.values = lambda: sequence(*shapes)
    return case


SEQUENCES = [
    recurrent(
        "with marks",
        "LSTM",
        ((4, 2, 3), (4, 2)),
        lstm_blobs(3, 5),
        lambda x, c, *w: ref.lstm(x, c, *w)[0],
    ),
    recurrent(
        "of images",
        "LSTM",
        ((4, 2, 3, 2), (4, 2)),
        lstm_blobs(6, 5),
        lambda x, c, *w: ref.lstm(x, c, *w)[0],
    ),
    recurrent(
        "with a static input",
        "LSTM",
        ((4, 2, 3), (4, 2), (2, 7)),
        lstm_blobs(3, 5, 7),
        lambda x, c, s, wx, b, ws, wh: ref.lstm(x, c, wx, b, wh, s, ws)[0],
    ),
    recurrent(
        "with its states",
        "LSTM",
        ((4, 2, 3), (4, 2), (1, 2, 5), (1, 2, 5)),
        lstm_blobs(3, 5),
        lambda x, c, h, e, *w: ref.lstm(x, c, *w, start=(h[0], e[0])),
        "expose_hidden: true",
        made=3,
    ),
    recurrent(
        "with marks",
        "RNN",
        ((4, 2, 3), (4, 2)),
        lstm_blobs(3, 5, gates=1),
        lambda x, c, *w: ref.rnn(x, c, *w)[0],
    ),
    recurrent(
        "with a static input",
        "RNN",
        ((4, 2, 3), (4, 2), (2, 7)),
        lstm_blobs(3, 5, 7, gates=1),
        lambda x, c, s, wx, b, ws, wh, wo, bo: ref.rnn(x, c, wx, b, wh, wo, bo, s, ws)[0],
    ),
    recurrent(
        "with its state",
        "RNN",
        ((4, 2, 3), (4, 2), (1, 2, 5)),
        lstm_blobs(3, 5, gates=1),
        lambda x, c, h, *w: ref.rnn(x, c, *w, start=h[0]),
        "expose_hidden: true",
        made=2,
    ),
    Case(
        "embed",
        "Embed",
        "embed_param { num_output: 3 input_dim: 6 }",
        lambda x, w, b: w[x.astype(int)] + b,
        ((4, 2),),
        ((6, 3), (3,)),
        values=lambda: [np.float32([[0, 5], [1, 1], [2, 3], [4, 0]])],
    ),
    Case(
        "embed without bias",
        "Embed",
        "embed_param { num_output: 3 input_dim: 6 bias_term: false }",
        lambda x, w: w[x.astype(int)],
        ((2,),),
        ((6, 3),),
        values=lambda: [np.float32([5, 1])],
    ),
]
