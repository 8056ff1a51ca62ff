"""The page about metrics says what the code does."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from conformance.metrics import METRICS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generator():
    path = ROOT / "docs" / "generate_metrics.py"
    spec = importlib.util.spec_from_file_location("generate_metrics", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator):
    text = generator.PAGE.read_text(encoding="utf-8")
    assert text == generator.page(), "run: python docs/generate_metrics.py"


def test_every_kind_and_argument_is_on_the_page(generator):
    text = generator.kinds()
    for name in METRICS.names():
        if "nnr-conformance" in METRICS.distribution(name):
            assert f"### {name}\n" in text
    assert text.count("`data_range` | needed") == 3


def test_every_work_referred_to_is_listed(generator):
    text = generator.PAGE.read_text(encoding="utf-8")
    body, references = text.split("## References")
    for name, year in re.findall(r"\[(\w+)[^\]\n]*? (\d{4})\]", body):
        assert re.search(rf"{name}, .*?\({year}\)", references, re.DOTALL), f"{name} {year}"


def test_the_metric_of_ones_own_works_as_printed(generator):
    text = generator.PAGE.read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    names = {"__name__": "printed"}
    exec(code, names)
    bias = names["Bias"].configure({"scale": 2.0})
    bias.update({"prediction": np.ones((3, 4)), "target": np.zeros((3, 4))})
    assert bias.result().value == 2.0
