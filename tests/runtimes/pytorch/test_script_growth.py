"""TorchScript: short code that would take any time, memory or stack to compile is refused."""

import pytest
import torch

from conformance.verdicts import LimitError, UnsupportedError
from tests.runtimes.pytorch import files

LINE = "    return torch.relu(x)\n"


class Plain(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


def planted(tmp_path, body, more=""):
    path = files.save_script(Plain().eval(), tmp_path / "net.pt")
    name = next(n for n in files.members(path) if n.endswith("growth.py"))
    text = files.members(path)[name].decode()
    assert LINE in text
    place = name.removeprefix("code/").removesuffix(".py").replace("/", ".")
    code = text.replace(LINE, body.replace("HERE", place)) + more.replace("HERE", place)
    return files.changed(path, members={name: code.encode()})


def refused(path, error):
    with pytest.raises(error) as caught:
        files.open_file(path)
    assert len(str(caught.value)) < 1500
    return caught.value


def _functions(length, body):
    made = "".join(f"def f{k}(x: Tensor) -> Tensor:\n{body(k)}" for k in range(length, 0, -1))
    return made + "def f0(x: Tensor) -> Tensor:\n  return torch.relu(x)\n"


def test_calls_that_double_are_counted_before_they_are_put_in_place(tmp_path):
    def twice(k):
        return f"  y = HERE.f{k - 1}(x)\n  return HERE.f{k - 1}(y)\n"

    path = planted(tmp_path, "    return HERE.f40(x)\n", _functions(40, twice))
    assert "too many operators" in str(refused(path, LimitError))


def test_a_long_chain_of_calls_is_refused_before_it_is_compiled(tmp_path):
    def once(k):
        return f"  return HERE.f{k - 1}(x)\n"

    path = planted(tmp_path, "    return HERE.f3000(x)\n", _functions(3000, once))
    assert "call each other too deeply" in str(refused(path, LimitError))


def test_functions_in_a_circle_are_refused(tmp_path):
    more = "".join(f"def f{k}(x: Tensor) -> Tensor:\n  return HERE.f{1 - k}(x)\n" for k in range(2))
    path = planted(tmp_path, "    return HERE.f0(x)\n", more)
    assert "circle" in str(refused(path, UnsupportedError))


@pytest.mark.parametrize(
    "line",
    [
        'torch.rjust("a", 1099511627776)',
        'torch.center("a", 1099511627776)',
        'torch.replace("abc", "", "b", -1)',
        'torch.count("abc", "", 0, -1)',
        "torch.remainder(3, 0)",
        "torch.divmod(3, -1)",
        '"a" * 1099511627776',
    ],
)
def test_what_would_be_folded_without_bound_is_refused(tmp_path, line):
    refused(planted(tmp_path, f"    y = {line}\n{LINE}"), UnsupportedError)


@pytest.mark.parametrize("line", ["({0}, {0})", "torch.add({0}, {0})", "[{0}, {0}, ({0}, {0})][2]"])
def test_values_that_double_are_refused(tmp_path, line):
    lines = "".join(f"    y{k + 1} = {line.format(f'y{k}')}\n" for k in range(40))
    refused(planted(tmp_path, f'    y0 = "a"\n{lines}{LINE}'), LimitError)


def test_a_long_name_is_not_written_out(tmp_path):
    refused(planted(tmp_path, f"    return torch.{'q' * 100_000}(x)\n"), UnsupportedError)
    refused(planted(tmp_path, f"    return ops.{'q' * 100_000}.b(x)\n"), UnsupportedError)
