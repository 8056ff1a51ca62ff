"""Graphs that are broken, hostile, or ask for what is not here."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.runtimes.nnef.text import flattening
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.hang import no_hang
from tests.runtimes.nnef import models as m

W = {"w": m.floats(1, 3)}
SECONDS = 120


def save(folder, text):
    return m.save(folder, text, W)


def plain(body, *, head="", outputs=("y",), inputs=None):
    return m.graph(body, inputs or {"x": (1, 3)}, outputs, W, head=head)


def refused(folder, text, kind=ConformanceError):
    """The error of a graph, which comes soon and says where."""
    with no_hang(SECONDS), pytest.raises(kind) as caught:
        m.opened(save(folder, text)).bind().run({"x": m.floats(1, 3)})
    error = caught.value
    assert error.where.file == "graph.nnef"
    assert error.expected
    assert error.fix
    return error


MALFORMED = {
    "empty": ("", "empty", None),
    "not-text": ("\0\0\0", "not one of NNEF", (1, 1)),
    "no-version": ("graph net(x) -> (y) {}", "flat syntax", (1, 1)),
    "cut-short": (plain("y = mul(x, w);")[:-3], "flat syntax", None),
    "quotes-open": (plain("y = mul(x, 'w);"), "not closed", None),
    "keyword-as-name": (plain("if = mul(x, w);"), "flat syntax", (7, 5)),
    "more-behind": (plain("y = mul(x, w);") + "graph", "flat syntax", None),
    "fragment-without-extension": (
        plain("y = mul(x, w);", head="fragment f(a: tensor<scalar>) -> (b: tensor<scalar>) {}"),
        "flat syntax",
        (2, 1),
    ),
    "unknown-tensor": (plain("y = mul(x, v);"), "not valid NNEF", None),
    "nan-as-a-literal": (plain("y = mul(x, nan);"), "not valid NNEF", None),
    "missing-output": (plain("z = mul(x, w);"), "not valid NNEF", None),
    "tensor-made-twice": (plain("y = mul(x, w);\ny = mul(x, w);"), "not valid NNEF", None),
    "attribute-unknown": (plain("y = relu(x, extra = 3);"), "not valid NNEF", None),
    "attribute-of-another-type": (plain("y = softmax(x, axes = 'all');"), "not valid NNEF", None),
    "integer-too-large": (plain("y = softmax(x, axes = [4294967296]);"), "too large", None),
    "number-too-large": (plain("y = mul(x, 1e300);"), "too large", None),
    "name-too-long": (plain(f"{'y' * 2000} = mul(x, w);"), "too long", None),
    "shapes-do-not-fit": (plain("y = matmul(x, w);"), "does not fit its operands", (7, 9)),
    "axis-too-large": (plain("y = softmax(x, axes = [7]);"), "does not fit", None),
    "negative-extent": (plain("y = reshape(x, shape = [-3, -1]);"), "does not fit", None),
    "split-into-too-many": (
        plain("[y, z] = split(x, axis = 1, ratios = [1, 1, 1]);"),
        "",
        None,
    ),
    "input-that-is-no-external": (
        m.graph("y = relu(w);", {}, ("y",), W).replace("net()", "net(w)"),
        "not valid NNEF",
        None,
    ),
    "external-that-is-no-input": (
        plain("z = external(shape = [1, 3]);\ny = mul(x, z);"),
        "not valid NNEF",
        None,
    ),
    "input-that-nothing-makes": (
        m.graph("y = relu(w);", {}, ("y",), W).replace("net()", "net(x)"),
        "not valid NNEF",
        None,
    ),
    "deep-lists": (plain(f"y = softmax(x, axes = {'[' * 5000}{']' * 5000});"), "", None),
    "deep-brackets-on-the-left": (plain(f"{'[' * 5000}y{']' * 5000} = relu(x);"), "", None),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_broken_graph_is_refused(tmp_path, name):
    text, said, place = MALFORMED[name]
    error = refused(tmp_path, text, MalformedError)
    assert said in error.message
    if place:
        assert (error.where.line, error.where.column) == place
    else:
        assert error.where.line or error.where.element or error.where.byte_offset == 0


def test_text_that_is_not_utf8_is_refused_at_its_byte(tmp_path):
    made = save(tmp_path, plain("y = mul(x, w);"))
    made.files[0].write_bytes(b"version 1.0;\n\xff")
    with pytest.raises(MalformedError) as caught:
        m.opened(made)
    assert caught.value.where.byte_offset == 13


UNSUPPORTED = {
    "unknown-operation": (plain("y = vendor_gelu(x);"), "vendor_gelu", (7, 9)),
    "operation-without-implementation": (
        plain("y = sample(x, x, size = [1, 1]);"),
        "sample",
        (7, 9),
    ),
    "next-version": ("version 2.0;\ngraph net(x) -> (y) {}", "the version of NNEF", (1, 9)),
    "unknown-extension": (
        plain("y = mul(x, w);", head="extension KHR_custom_operators;"),
        "the extension of NNEF",
        (2, 11),
    ),
    "open-input": (plain("y = relu(x);", inputs={"x": (0, 3)}), "left open", (5, 9)),
    "tensor-of-texts": (plain("y = cast<logical>(x);"), "cast", (7, 9)),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_cannot_be_run_here_is_named(tmp_path, name):
    text, said, place = UNSUPPORTED[name]
    error = refused(tmp_path, text, UnsupportedError)
    assert said in error.message
    assert (error.where.line, error.where.column) == place


LIMITS = {
    "constant": "c = constant(shape = [2147483647, 2147483647], value = [0.0]);\ny = mul(x, w);",
    "tiled": "y = tile(x, repeats = [2000000000, 2000000000]);",
    "padded": "y = pad(x, padding = [(0, 0), (0, 2000000000)]);",
    "pool": "a = unsqueeze(x, axes = [0, 0]);\ny = max_pool(a, size = [1, 1, 1, 1], "
    "padding = [(0, 0), (0, 0), (0, 2000000000), (0, 2000000000)], "
    "stride = [1, 1, 2000000000, 2000000000]);",
    "window-with-automatic-padding": "a = unsqueeze(x, axes = [0, 0]);\n"
    "y = max_pool(a, size = [1, 1, 50000, 50000], padding = [], stride = [1, 1, 1, 1]);",
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_small_text_that_asks_for_much_memory(tmp_path, name):
    error = refused(tmp_path, plain(LIMITS[name]), LimitError)
    assert error.where.line


def test_too_much_text_is_refused(tmp_path):
    text = plain("y = mul(x, w);") + "#" * (8 << 20)
    assert "larger than is allowed" in refused(tmp_path, text, LimitError).message


def test_too_many_statements_are_refused(tmp_path):
    text = plain("a = relu(x);\n" * 40000 + "y = relu(a);")
    assert "too many statements" in refused(tmp_path, text, LimitError).message


HEAD = "extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;\n"


def fragment(name, body):
    return (
        f"fragment {name}( x: tensor<scalar> ) -> ( y: tensor<scalar> )\n{{\n    y = {body};\n}}\n"
    )


DOUBLING = "".join(
    fragment(f"f{n}", f"add(f{n - 1}(x), f{n - 1}(x))" if n else "relu(x)") for n in range(40)
)

FRAGMENTS = {
    "recursive": (fragment("f", "f(x)"), "f(x)"),
    "recursive-in-turn": (fragment("f", "g(x)") + fragment("g", "f(x)"), "f(x)"),
    "without-a-body": (
        "fragment f( x: tensor<scalar> ) -> ( y: tensor<scalar> );\n",
        "f(x)",
    ),
    "division-by-zero": (fragment("f", "x * (1 / 0)"), "f(x)"),
    "text-not-closed": ("fragment f( x: tensor<scalar> ) -> ( y: tensor", "f(x)"),
    "unknown-operation-within": (fragment("f", "vendor_gelu(x)"), "f(x)"),
    "deep-brackets": ("", "(" * 20000 + "x" + ")" * 20000),
    "deep-signs": ("", "-" * 20000 + "x"),
    "list-out-of-range": (fragment("f", "x * [1.0, 2.0][7]"), "f(x)"),
    "a-sign-that-is-misread": ("", "-x + w"),
}


@pytest.mark.parametrize("name", FRAGMENTS)
def test_hostile_fragments_are_refused(tmp_path, name, monkeypatch):
    monkeypatch.setattr(flattening, "SECONDS", 4)
    head, expression = FRAGMENTS[name]
    refused(tmp_path, plain(f"y = {expression};", head=HEAD + head))


def test_fragments_that_grow_without_end_are_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(flattening, "SECONDS", 2)
    text = plain("y = f39(x);", head=HEAD + DOUBLING)
    assert "grows too large" in refused(tmp_path, text, LimitError).message


def test_an_error_in_a_fragment_has_its_line(tmp_path):
    head = HEAD + fragment("f", "relu(z)")
    error = refused(tmp_path, plain("y = f(x);", head=head), MalformedError)
    assert error.where.line == 5


LABELS = {
    "parent": "../w",
    "parent-within": "a/../../w",
    "absolute": "/etc/w",
    "backslash": "..\\\\w",
    "drive": "C:w",
    "empty": "",
    "dot": ".",
    "not-normal": "a//w",
    "ends-in-a-slash": "w/",
}


@pytest.mark.parametrize("name", LABELS)
def test_a_label_that_leads_out_of_the_folder(tmp_path, name):
    (tmp_path / "w.dat").write_bytes(m.tensor_bytes(W["w"]))
    text = m.graph(f"{m.variable('w', LABELS[name], (1, 3))}\ny = mul(x, w);", {"x": (1, 3)})
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "graph.nnef").write_text(text)
    with pytest.raises(ConformanceError) as caught:
        m.opened(m.source(folder, "graph.nnef"))
    assert "leads out" in caught.value.message
    assert (caught.value.where.line, caught.value.where.element) == (6, "operation variable -> w")


def test_a_label_in_a_fragment_is_confined_too(tmp_path):
    head = HEAD + fragment("f", "relu(x)")
    text = m.graph(
        f"{m.variable('w', '../w', (1, 3))}\ny = f(mul(x, w));", {"x": (1, 3)}, head=head
    )
    with pytest.raises(MalformedError, match="leads out"):
        m.opened(m.save(tmp_path, text))


def test_a_missing_tensor_file_is_named(tmp_path):
    made = m.save(tmp_path, plain("y = mul(x, w);"))
    with pytest.raises(ConformanceError) as caught:
        m.opened(made)
    assert caught.value.expected == "w.dat"
    assert caught.value.where.line == 6


TEXT = plain("a = mul(x, w);\n[b, c, d] = split(a, axis = 1, ratios = [1, 1, 1]);\ny = add(b, c);")
SEARCH = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def runs_or_is_refused(made):
    try:
        with m.opened(made) as network:
            network.bind().run({p.name: m.floats(*p.shape) for p in network.inputs})
    except ConformanceError as error:
        m.check(error, "w.dat", "graph.nnef")


@SEARCH
@given(end=st.integers(0, len(TEXT) - 1))
def test_a_text_cut_anywhere(tmp_path, end):
    runs_or_is_refused(save(tmp_path, TEXT[:end]))


@SEARCH
@given(bit=st.integers(0, 8 * len(TEXT) - 1))
def test_a_text_with_a_flipped_bit(tmp_path, bit):
    data = bytearray(TEXT, "utf-8")
    data[bit // 8] ^= 1 << bit % 8
    made = save(tmp_path, TEXT)
    made.files[0].write_bytes(data)
    runs_or_is_refused(made)


WORDS = sorted({*TEXT.replace("(", " ( ").replace(")", " ) ").split(), "-1", "0", "[]", "''"})


@SEARCH
@given(words=st.lists(st.sampled_from(WORDS), max_size=6), place=st.integers(0, len(TEXT)))
def test_a_text_with_other_words_in_it(tmp_path, words, place):
    runs_or_is_refused(save(tmp_path, f"{TEXT[:place]} {' '.join(words)} {TEXT[place:]}"))


@pytest.mark.parametrize(
    "surplus",
    ["# so that the original is larger\n" * 3000, " " * 100_000, ""],
    ids=["comments", "blanks", "names"],
)
def test_what_fills_up_a_graph_is_unread(tmp_path, surplus):
    names = ["x", *(f"{'a' * 1000}{i}" for i in range(0 if surplus else 300)), "y"]
    body = "\n".join(f"{new} = copy({old});" for old, new in itertools.pairwise(names))
    text = m.graph(body, {"x": (1, 3)}) + surplus
    with m.opened(m.save(tmp_path, text)) as network:
        (found,) = network.unread
    assert (found.file, found.piece) == ("graph.nnef", "comments and blanks of graph.nnef")
    assert found.bytes > 90_000
