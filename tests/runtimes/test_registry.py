import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.registry import RUNTIMES, Registry
from conformance.runtimes import Description, PortInfo, Runtime, SlowRuntime, runtime
from conformance.runtimes.onnx import OnnxRuntime
from conformance.verdicts import MalformedError, UnsupportedError
from tests.runtimes import models


def test_onnx_is_registered():
    found = runtime("onnx")
    assert isinstance(found, OnnxRuntime)
    assert isinstance(found, Runtime)
    assert found.runtime_id == "onnx"


def test_an_unknown_format_is_unsupported_and_the_known_are_named():
    with pytest.raises(UnsupportedError) as caught:
        runtime("no-such-format")
    assert "onnx" in caught.value.expected
    assert "nnr_conformance.runtimes" in caught.value.fix


def test_an_entry_that_is_no_runtime_is_unsupported():
    codecs_by_mistake = Registry("console_scripts", "model format")
    with pytest.raises(UnsupportedError) as caught:
        runtime("nnr-conformance", codecs_by_mistake)
    assert caught.value.fix


def test_importing_the_room_imports_no_runtime():
    heavy = "{'numpy', 'onnx', 'onnxruntime', 'ml_dtypes'}"
    code = f"import sys, conformance.runtimes; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_model_describes_itself(tmp_path):
    models.save(tmp_path, models.cnn())
    assert runtime("onnx").describe(tmp_path / "model.onnx") == Description(
        inputs=(PortInfo("image", "float32", ("N", 3, 8, 8)),),
        outputs=(PortInfo("logits", "float32", ("N", 10)),),
        parameter_count=16 * 27 + 16 + 4 * 16 + 10 * 256 + 10,
        external_files=(),
    )


def test_a_description_of_a_broken_file_is_malformed(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(MalformedError) as caught:
        runtime("onnx").describe(tmp_path / "model.onnx")
    assert caught.value.where.file == "model.onnx"


def test_every_format_says_which_parts_only_its_own_loader_runs():
    page = (Path(__file__).parents[2] / "docs" / "runtimes.md").read_text("utf-8")
    section = page.partition("## Parts that only the format's own loader runs")[2]
    rows = re.findall(r"^\| `([\w-]+)` \|", section.partition("\n## ")[0], re.MULTILINE)
    assert sorted(rows) == sorted(RUNTIMES.names())


@pytest.mark.parametrize("name", RUNTIMES.names())
def test_a_format_is_registered_as_slow_if_it_can_import_its_library(name):
    assert isinstance(runtime(name), SlowRuntime) == (RUNTIMES.kind(name) == "slow")
