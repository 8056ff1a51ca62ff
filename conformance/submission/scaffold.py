"""Starting a submission: a folder with copies of the files, and metadata to be completed.

What can be measured or was passed in is filled in; what only a human knows becomes a string
``<fill in: what to write here>``, which the schema refuses until it is replaced. ``load`` of the
new folder lists exactly these.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.submission.files import measure
from conformance.submission.reading import METADATA
from conformance.submission.text import PLACEHOLDER, shown
from conformance.submission.values import VALUE_TOLERANCE, Port
from conformance.verdicts import ConformanceError, Json, Location

_MODEL = "model"
_VECTORS = "test"
OUTPUT_TOLERANCE = (1e-5, 1e-4)
"""The atol and rtol that two laboratories with the same settings need."""
_METRIC = "quality"
_TRAINING = "training-data"
_TEST = "test-data"
_USE_CASE = "use-case"
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What the caller read from the network file."""

    format: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameter_count: int


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """Files with the reference vectors of ``items`` items."""

    items: int
    inputs: tuple[Path, ...]
    targets: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """Files of one compressed network and, if it is known, the codec that decodes them."""

    id: str
    files: tuple[Path, ...]
    codec: str | None = None


def scaffold(
    folder: Path,
    *,
    model_file: Path,
    description: ModelDescription,
    id: str,
    vectors: Sequence[ShardFiles] = (),
    samples: Sequence[SampleFiles] = (),
    external_data: Sequence[Path] = (),
    contributor: str | None = None,
    title: str | None = None,
    license: str | None = None,
    batched: bool = True,
    output_tolerance: tuple[float, float] = OUTPUT_TOLERANCE,
) -> Path:
    """Make a new submission in ``folder`` and return the path of its metadata.

    ``external_data`` are the files that the network file refers to; they keep their place
    relative to it. ``output_tolerance`` is atol and rtol.

    Raise :exc:`ConformanceError` if the folder is not empty, an id is not valid,
    or a file is missing.
    """
    _check_ids([id, *(sample.id for sample in samples)])
    _check_files([model_file, *external_data, *_files_of(vectors, samples)])
    _check_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    copier = _Copier(folder)
    data = {
        **_heading(id, title, contributor, license),
        "use_cases": [_use_case()],
        "models": [_model(copier, model_file, external_data, description)],
        "datasets": [_dataset(_TRAINING, "training"), _dataset(_TEST, "tests")],
        "metrics": [_metric()],
        "vectors": [_vector_set(copier, vectors, batched, output_tolerance)],
        "samples": [_sample(copier, sample) for sample in samples]
        or _blank("a list with one entry for each compressed network; see docs/fields.md"),
        "associated_files": [],
    }
    path = folder / METADATA
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def _blank(what: str) -> str:
    return f"{PLACEHOLDER}: {what}>"


def _check_ids(ids: Sequence[str]) -> None:
    for each in ids:
        if not _ID.fullmatch(each) or ids[1:].count(each) > 1:
            raise ConformanceError(
                f"{each!r} cannot be an id",
                expected="lower-case letters, digits, '.', '_' and '-', starting with a letter or "
                "a digit, 64 characters at most; each sample another",
                found=shown(each),
                fix="Choose another id.",
            )


def _files_of(vectors: Sequence[ShardFiles], samples: Sequence[SampleFiles]) -> Iterator[Path]:
    for shard in vectors:
        yield from (*shard.inputs, *shard.targets, *shard.outputs)
    for sample in samples:
        yield from sample.files


def _check_files(files: Sequence[Path]) -> None:
    for file in files:
        if not file.is_file():
            raise _uncopied(file, "a folder" if file.is_dir() else "no such file")


def _uncopied(file: Path, found: str) -> ConformanceError:
    return ConformanceError(
        f"{file} cannot be copied",
        where=Location(file=str(file)),
        expected="a readable file",
        found=found,
        fix="Fix the path.",
    )


def _check_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise ConformanceError(
            f"{folder} is not an empty folder",
            where=Location(file=str(folder)),
            expected="a folder that is empty or does not exist",
            found="a folder with files" if folder.is_dir() else "a file",
            fix="Name another folder.",
        )


class _Copier:
    """Copies files into the new folder, never two to the same place."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._taken: set[str] = set()

    def copy(self, source: Path, folder: str, name: str | None = None) -> dict[str, Json]:
        """Copy ``source`` and return the entry that lists the copy."""
        path = self._free(f"{folder}/{name or _tidy(source.name)}")
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise _uncopied(source, error.strerror or str(error)) from error
        facts = measure(self._root, path)
        return {"rel_filepath": path, "size": facts.size, "sha256": facts.sha256}

    def copy_all(self, sources: Sequence[Path], folder: str) -> list[dict[str, Json]]:
        """Copy several files."""
        return [self.copy(source, folder) for source in sources]

    def _free(self, path: str) -> str:
        stem, dot, suffix = path.rpartition(".")
        number = 1
        wanted = path
        while wanted.lower() in self._taken:
            number += 1
            wanted = f"{stem}-{number}{dot}{suffix}" if dot else f"{path}-{number}"
        self._taken.add(wanted.lower())
        return wanted


def _tidy(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "file"


def _heading(
    id: str, title: str | None, contributor: str | None, license: str | None
) -> dict[str, Json]:
    return {
        "schema_version": "1.0",
        "id": id,
        "title": title or _blank("title of the submission"),
        "description": _blank("what is submitted and why"),
        "contributor": contributor or _blank("company, institute or person who submits"),
        "mdms_number": None,
        "conforms_to": [],
        "license": license or _blank("SPDX expression of the licence, such as CC-BY-4.0"),
        "version": "1.0.0",
        "published": False,
    }


def _use_case() -> dict[str, Json]:
    return {
        "id": _USE_CASE,
        "title": _blank("name of the use case"),
        "description": _blank("what the network is used for"),
    }


def _ports(ports: tuple[Port, ...]) -> list[dict[str, Json]]:
    return [{"name": each.name, "dtype": _dtype(each), "shape": _shape(each)} for each in ports]


def _dtype(port: Port) -> str:
    """Return the element type, to be filled in where the network file does not say it."""
    return port.dtype if port.dtype != "any" else _blank("type of its elements, such as float32")


def _shape(port: Port) -> list[Json]:
    if port.shape == ("...",):
        return [_blank("sizes of its axes: numbers, or names of dynamic axes")]
    return [*port.shape]


def _model(
    copier: _Copier, file: Path, external_data: Sequence[Path], description: ModelDescription
) -> dict[str, Json]:
    external = [copier.copy(each, "models", _place_next_to(file, each)) for each in external_data]
    return {
        "id": _MODEL,
        "title": _blank("what the network is, in one line"),
        "format": description.format,
        "network_type": _blank("cnn, autoencoder, lstm, transformer, ..."),
        "files": [copier.copy(file, "models"), *external],
        "inputs": _ports(description.inputs),
        "outputs": _ports(description.outputs),
        "parameter_count": description.parameter_count,
        "use_cases": [_USE_CASE],
        "training_data": [_TRAINING],
        "test_data": [_TEST],
        "metric_values": [_metric_value("value of the metric of the original, a number")],
    }


def _place_next_to(model_file: Path, external: Path) -> str:
    folder = model_file.parent.resolve()
    if not external.resolve().is_relative_to(folder):
        raise ConformanceError(
            f"{external} lies outside the folder of the network file",
            where=Location(file=str(external)),
            expected=f"a file below {folder}",
            found=str(external.resolve()),
            fix="Save the network again with its external data next to it.",
        )
    return external.resolve().relative_to(folder).as_posix()


def _metric_value(what: str) -> dict[str, Json]:
    return {
        "metric": _METRIC,
        "vectors": _VECTORS,
        "value": _blank(what),
        "tolerance": VALUE_TOLERANCE,
    }


def _dataset(id: str, purpose: str) -> dict[str, Json]:
    return {
        "id": id,
        "name": _blank(f"name of the data set for {purpose}"),
        "version": _blank("version, edition or date"),
        "url": _blank("where it is found; or replace the key by doi"),
        "license": _blank("SPDX expression of its licence; LicenseRef-NAME if not listed"),
        "split": _blank(f"which part was used for {purpose}"),
        "items": _blank("number of items in this part; null if not published"),
    }


def _metric() -> dict[str, Json]:
    return {
        "id": _METRIC,
        "kind": _blank("kind of metric, such as top-k-accuracy or psnr"),
        "description": _blank("what it says about the use case, and why it was chosen"),
        "direction": _blank("higher or lower: which values are better"),
        "args": {},
        "tolerance": {
            "type": "absolute",
            "bound": _blank("largest loss that is accepted, in the unit of the metric"),
            "inclusive": True,
        },
    }


def _vector_set(
    copier: _Copier, shards: Sequence[ShardFiles], batched: bool, tolerance: tuple[float, float]
) -> dict[str, Json]:
    return {
        "id": _VECTORS,
        "model": _MODEL,
        "dataset": _TEST,
        "batched": batched,
        "output_tolerance": dict(zip(("atol", "rtol"), tolerance, strict=True)),
        "shards": [_shard(copier, shard) for shard in shards]
        or _blank("a list with the files of the vectors; see docs/fields.md"),
    }


def _shard(copier: _Copier, shard: ShardFiles) -> Mapping[str, Json]:
    return {
        "items": shard.items,
        "inputs": copier.copy_all(shard.inputs, "vectors")
        or _blank("a list of files with the inputs"),
        "targets": copier.copy_all(shard.targets, "vectors"),
        "outputs": copier.copy_all(shard.outputs, "vectors")
        or _blank("a list of files with the outputs that the original gave"),
    }


def _sample(copier: _Copier, sample: SampleFiles) -> dict[str, Json]:
    files = copier.copy_all(sample.files, "samples")
    return {
        "id": sample.id,
        "model": _MODEL,
        "title": _blank("what the sample is, in one line"),
        "codec": {
            "id": sample.codec or _blank("nnc, onnx, tensors, tflite or another"),
            "params": {},
        },
        "files": files or _blank("a list of the files of the sample"),
        "lossless": False,
        "method": _method(),
        "features": [],
        "metrics": [{"metric": _METRIC, "vectors": _VECTORS}],
        "claims": {
            "compressed_size": sum(int(file["size"]) for file in files),
            "metric_values": [_metric_value("value of the metric of the sample, a number")],
            "tensor_digests": {},
        },
    }


def _method() -> dict[str, Json]:
    return {
        "summary": _blank("what was done, in one or two sentences"),
        "parameter_reduction": _blank("a list of strings, empty if parameters were not reduced"),
        "quantisation": _blank("a list of strings, empty if nothing was quantised"),
        "entropy_coding": _blank("a list of strings, empty if nothing was entropy coded"),
        "retraining": _blank("true or false"),
        "software": [
            {
                "name": _blank("program that made the sample"),
                "version": _blank("its version"),
            }
        ],
    }
