"""A TorchScript archive: its parts, and the clean copy of it that PyTorch is given.

The copy is made anew, from parts that were checked: code, objects, constants. What a replacement
may take the place of is zeros in it, so that no parameter of the original is ever in a network that
runs with others. Records for debugging, examples and extra files are left out.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from conformance.runtimes._protocol import Array, ModelSource, Unread
from conformance.runtimes.pytorch.archive import Archive
from conformance.runtimes.pytorch.loading import check_beside
from conformance.runtimes.pytorch.pickled import MAX_BYTES, Place, read_pickle
from conformance.runtimes.pytorch.script_code import MAX_BYTES as MAX_CODE
from conformance.runtimes.pytorch.script_code import Code, read_code
from conformance.runtimes.pytorch.script_tree import Objects, read_objects
from conformance.runtimes.pytorch.stored import bytes_of, repeated, unread_storage
from conformance.runtimes.pytorch.values import Tensor
from conformance.verdicts import ConformanceError, Location, MalformedError, UnsupportedError

_WHAT = "TorchScript"
_CODE = re.compile(r"code/[\w/]+\.py", re.ASCII)
_DATA = re.compile(r"(data|constants)/\w+", re.ASCII)
_NEEDED = ("data.pkl", "constants.pkl")
_SMALL = (
    *("byteorder", "version", ".data/serialization_id", ".data/version"),
    *(".format_version", ".storage_alignment"),
)
_BESIDE = re.compile(
    r"code/[\w/]+\.py\.debug_pkl|traced_inputs(\.pkl|/\w+)|extra/.+|(backport_)?mobile_debug_handles\.pkl",
    re.ASCII,
)
_DEBUG = re.compile(r"code/[\w/]+\.py\.debug_pkl|(backport_)?mobile_debug_handles\.pkl", re.ASCII)
_MAX_SMALL = 1024
_DEBUG_SHARE = 6
_ZERO_BLOCK = bytes(1 << 20)

_Kept: TypeAlias = "tuple[Tensor, Array | None]"


class ScriptArchive:
    """The checked parts of one archive."""

    def __init__(self, source: ModelSource) -> None:
        self.file = source.display[0]
        self._archive = Archive(source.files[0], self.file, source.limit_bytes)
        self._check_members()
        self.code: Code = read_code(self._texts(), self.file)
        self.objects: Objects = read_objects(
            self._pickle("data.pkl"), self._pickle("constants.pkl"), self.code, self.file
        )
        self._check_storages()

    def data(self, key: str) -> Array:
        """Return the bytes of a storage of the objects."""
        return self._archive.array(key)

    def check_beside(self, allowed: Collection[str]) -> None:
        """Raise ConformanceError if a record next to the network is a pickle that holds code."""
        check_beside(self._archive, filter(_BESIDE.fullmatch, self._archive.members), allowed)

    def clean_copy(self, given: Mapping[str, Array]) -> bytes:
        """Return an archive with the same network, but with zeros for parameters and buffers.

        So is what lies in a storage next to its tensors: ``as_strided`` would reach it. Of the
        other tensors those in ``given`` have its values, the rest their own.
        """
        kept = self._kept(given)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
            for name in self._archive.members:
                wanted = name in (*_NEEDED, self._archive.version_member)
                if wanted or _CODE.fullmatch(name):
                    copy.writestr(f"archive/{name}", self._archive.read(name, MAX_BYTES))
                elif _DATA.fullmatch(name):
                    self._copy_data(copy, name, kept.get(name, []))
            copy.writestr("archive/byteorder", "little")
        return out.getvalue()

    def unread(self) -> Iterator[Unread]:
        """Yield records for debugging beyond what the code explains, examples, extra files."""
        sizes = {name: entry.data.size for name, entry in self._archive.members.items()}
        code = sum(size for name, size in sizes.items() if _CODE.fullmatch(name))
        debug = sum(size for name, size in sizes.items() if _DEBUG.fullmatch(name))
        yield Unread(self.file, "records for debugging", debug - _DEBUG_SHARE * code)
        beside = (name for name in sizes if _BESIDE.fullmatch(name))
        yield from self._archive.unread(name for name in beside if not _DEBUG.fullmatch(name))
        found = (*self.objects.places.items(), *self.objects.constants.items())
        yield from unread_storage(((each.storage.key, each) for _, each in found), self.file)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def _kept(self, given: Mapping[str, Array]) -> dict[str, list[_Kept]]:
        """Return, for each member, the tensors in it that are not parameters or buffers."""
        filled = {tensor.place for tensor in self.objects.registered.values()}
        kept: dict[str, list[_Kept]] = {}
        for name, tensor in (*self.objects.kept.items(), *self.objects.constants.items()):
            if tensor.collapsed.repeats:
                raise repeated(name, tensor, self.file)
            if tensor.place not in filled:
                kept.setdefault(tensor.storage.key, []).append((tensor, given.get(name)))
        return kept

    def _copy_data(self, copy: zipfile.ZipFile, name: str, kept: list[_Kept]) -> None:
        with copy.open(f"archive/{name}", "w", force_zip64=True) as member:
            if kept:
                member.write(bytes_of(kept, self._archive.array(name)).data)
                return
            size = self._archive.size_of(name)
            for begin in range(0, size, len(_ZERO_BLOCK)):
                member.write(_ZERO_BLOCK[: size - begin])

    def _check_members(self) -> None:
        archive = self._archive
        if "data.pkl" in archive and not any(map(_CODE.fullmatch, archive.members)):
            raise ConformanceError(
                "the archive holds tensors but no network",
                where=archive.where("data.pkl"),
                expected="code, as torch.jit.save writes it",
                found="no member of code: a state dict, probably",
                fix='Declare it as format "torch-state-dict", with an ONNX graph.',
            )
        archive.refuse_unknown(_is_known, _WHAT)
        for name in (*_NEEDED, *_SMALL):
            if name in archive or name in _NEEDED:
                archive.read(name, MAX_BYTES if name.endswith(".pkl") else _MAX_SMALL)
        if "byteorder" in archive and archive.read("byteorder", _MAX_SMALL) != b"little":
            raise UnsupportedError(
                "the numbers are big-endian",
                where=archive.where("byteorder"),
                expected="little",
                found="big",
                fix="Save the model on a little-endian machine.",
            )
        member = archive.version_member
        if not re.fullmatch(rb"\d{1,3}\n?", archive.read(member, _MAX_SMALL)):
            raise MalformedError(
                "the version of the archive is not a number",
                where=archive.where(member),
                expected="a number",
                found=ascii(archive.read(member, _MAX_SMALL)[:20]),
                fix="Save the model again with torch.jit.save.",
            )

    def _texts(self) -> dict[str, bytes]:
        texts: dict[str, bytes] = {}
        left = MAX_CODE
        for name in filter(_CODE.fullmatch, self._archive.members):
            texts[name] = self._archive.read(name, left)
            left -= len(texts[name])
        return texts

    def _pickle(self, name: str) -> object:
        place = Place(self.file, name, instances=True)
        return read_pickle(self._archive.read(name, MAX_BYTES), place)

    def _check_storages(self) -> None:
        """Compare the tensors with the members that hold their bytes, both ways."""
        found = (*self.objects.places.items(), *self.objects.constants.items())
        members = {tensor.storage.key for _, tensor in found}
        for name, tensor in found:
            self._check_storage(name, tensor)
        for member in self._archive.members:
            if _DATA.fullmatch(member) and member not in members:
                raise ConformanceError(
                    "the archive holds data of a tensor that no module has",
                    where=self._archive.where(member),
                    expected="data of the tensors in data.pkl and constants.pkl",
                    found=f"{self._archive.size_of(member)} bytes in {member}",
                    fix="Save the model again with torch.jit.save.",
                )

    def _check_storage(self, name: str, tensor: Tensor) -> None:
        member = tensor.storage.key
        size = self._archive.size_of(member) if member in self._archive else None
        if size != tensor.storage.nbytes:
            raise MalformedError(
                f"the data of {name!r} are not as long as its type and shape say",
                where=Location(self.file, element=f"{name} in {member}"),
                expected=f"{tensor.storage.nbytes} bytes",
                found="no such member" if size is None else f"{size} bytes",
                fix="Save the model again with torch.jit.save.",
            )


def _is_known(name: str) -> bool:
    forms = (_CODE, _DATA, _BESIDE)
    return name in _NEEDED or name in _SMALL or any(form.fullmatch(name) for form in forms)
