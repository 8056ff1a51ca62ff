"""Archives: the same model as the folder, or refused; nothing leaves the folder, nothing hides."""

import gzip
import io
import tarfile
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.hang import no_hang
from tests.runtimes.nnef import models as m

X = {"x": m.floats(1, 3)}
W = m.floats(1, 3, seed=1)
TEXT = m.graph("y = mul(x, w);", {"x": (1, 3)}, ("y",), {"w": W})
FILES = {"graph.nnef": TEXT.encode(), "w.dat": m.tensor_bytes(W)}


@pytest.fixture(autouse=True)
def unpacked(tmp_path, monkeypatch):
    """The folder that archives are unpacked in: nothing of them is left in the end."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.glob("nnef-*")) == []


def packed(members, format=tarfile.PAX_FORMAT):
    """A tar file of members: bytes by name, or a TarInfo with its bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, data in members.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(data, bytes):
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
    return buffer.getvalue()


def opened(folder, data, **more):
    (folder / "model.tgz").write_bytes(data)
    return m.opened(m.source(folder, "model.tgz", **more))


def refused(folder, data, kind=MalformedError, **more):
    with pytest.raises(kind) as caught:
        opened(folder, data, **more)
    m.check(caught.value, "model.tgz")
    return caught.value


@pytest.mark.parametrize("kind", ["cnn", "lstm", "quantised"])
def test_archive_and_folder_give_the_same(tmp_path, kind):
    folder = tmp_path / "model"
    if kind == "cnn":
        source, shape = m.cnn(folder), (2, 1, 6, 6)
    elif kind == "lstm":
        source, shape = m.save(folder, m.lstm_text(), m.lstm_tensors()), (2, 5, 3)
    else:
        stored = m.tensor_bytes(np.array([[-3, 0, 7]], np.int8), quantised=True)
        how = "zero_point = 1, scale = 0.5, bits = 8, signed = true, symmetric = false"
        quant = f'"w": zero_point_linear_quantize({how});'
        source, shape = m.save(folder, TEXT, {"w": stored}, quant=quant), (1, 3)
    inputs = {"x": m.floats(*shape, seed=8)}
    m.archive(folder)
    archive = m.source(folder, "model.tgz")
    with m.opened(source) as one, m.opened(archive) as other:
        assert list(one.parameters) == list(other.parameters)
        assert one.counts == other.counts
        assert other.unused_files == ()
        for label, array in one.parameters.items():
            assert np.array_equal(other.parameters[label], array)
        assert np.array_equal(one.bind().run(inputs)["y"], other.bind().run(inputs)["y"])


def test_a_closed_archive_leaves_its_runners(tmp_path):
    network = opened(tmp_path, gzip.compress(packed(FILES)))
    runner = network.bind()
    network.close()
    assert np.array_equal(runner.run(X)["y"], X["x"] * W)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("label", ["w", "a/b/w", "a" * 120 + "/w"], ids=["short", "deep", "long"])
def test_names_of_every_format(tmp_path, format, label):
    text = m.graph("y = mul(x, w);", {"x": (1, 3)}, ("y",), {label: W})
    files = {"./graph.nnef": text.encode(), f"./{label}.dat": m.tensor_bytes(W)}
    with opened(tmp_path, gzip.compress(packed(files, format))) as network:
        assert np.array_equal(network.bind().run(X)["y"], X["x"] * W)


def test_a_real_archive_has_folders_and_a_readme(tmp_path):
    folder = tarfile.TarInfo(".")
    folder.type = tarfile.DIRTYPE
    files = {".": folder, **FILES, "README.md": b"A network."}
    with opened(tmp_path, gzip.compress(packed(files))) as network:
        assert list(network.parameters) == ["w"]


def member(kind, name="w.dat", target="graph.nnef", size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


SPECIAL = {
    "symbolic-link": (member(tarfile.SYMTYPE, target="/etc/passwd"), "a symbolic link"),
    "link-within": (member(tarfile.SYMTYPE), "a symbolic link"),
    "hard-link": (member(tarfile.LNKTYPE), "a hard link"),
    "character-device": (member(tarfile.CHRTYPE), "a device"),
    "block-device": (member(tarfile.BLKTYPE), "a device"),
    "pipe": (member(tarfile.FIFOTYPE), "b'6'"),
    "sparse": (member(b"S"), "b'S'"),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_members_that_are_no_files_are_refused(tmp_path, name):
    info, found = SPECIAL[name]
    data = packed({"graph.nnef": FILES["graph.nnef"], "w.dat": info}, tarfile.GNU_FORMAT)
    error = refused(tmp_path, gzip.compress(data), UnsupportedError)
    assert found in error.found
    assert "w.dat" in error.where.element


NAMES = {
    "parent": "../w.dat",
    "parent-within": "a/../../w.dat",
    "absolute": "/tmp/w.dat",
    "backslash": "a\\w.dat",
    "drive": "C:w.dat",
    "line-end": "w\n.dat",
    "too-deep": "d/" * 40 + "w",
}


@pytest.mark.parametrize("name", NAMES)
def test_members_outside_the_folder_are_refused(tmp_path, unpacked, name):
    error = refused(tmp_path, gzip.compress(packed({**FILES, NAMES[name]: b"x"})))
    assert "outside its folder" in error.message
    assert not (unpacked.parent / "w.dat").exists()


def test_a_long_name_leads_nowhere_else(tmp_path):
    name = "a/" * 60 + "../" * 70 + "w.dat"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        data = gzip.compress(packed({**FILES, name: b"x"}, kind))
        assert "outside its folder" in refused(tmp_path, data).message


def flipped(data, offset):
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


TAR = packed(FILES)
END_OF_FILES = TAR.rindex(b"ustar") - 257 + 1024
ROOM = bytes(np.random.default_rng(0).integers(0, 256, 70000, np.uint8))
FOLDERS = {f"d{n}": member(tarfile.DIRTYPE, f"d{n}") for n in range(300)}
DAMAGED = {
    "empty": (b"", "bad gzip header"),
    "not-gzip": (b"PK\3\4" + bytes(600), "bad gzip header"),
    "checksum-of-gzip": (flipped(gzip.compress(TAR), -5), "cannot be decompressed"),
    "checksum-of-tar": (gzip.compress(flipped(TAR, 0)), "header of the archive is damaged"),
    "cut-short": (gzip.compress(TAR)[:-30], "cut short"),
    "cut-in-a-member": (gzip.compress(TAR[:700]), "cut short"),
    "no-graph": (gzip.compress(packed({"w.dat": b"x"})), "holds no graph"),
    "nothing-in-it": (gzip.compress(packed({})), "holds no graph"),
    "no-tar": (gzip.compress(b"x" * 2000), "damaged"),
    "file-twice": (
        gzip.compress(TAR[:END_OF_FILES] + TAR),
        "empty or not unique",
    ),
    "behind-the-gzip": (gzip.compress(TAR) + b"more", "follows the compressed data"),
    "behind-the-tar": (gzip.compress(TAR + b"more"), "follows the end"),
    "many-zeros-behind": (gzip.compress(TAR + bytes(1 << 20)), "follows the end"),
    "padded-with-a-tensor": (
        gzip.compress(packed({**FILES, "more.dat": m.tensor_bytes(W)})),
        "does not use",
    ),
    "padded-with-empty-folders": (
        gzip.compress(packed({**FILES, **FOLDERS})),
        "too much in addition to its files",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_or_padded_archive_is_refused(tmp_path, name):
    data, said = DAMAGED[name]
    assert said in refused(tmp_path, data).message


def test_a_comment_in_the_gzip_header_is_refused(tmp_path):
    data = gzip.compress(TAR)
    commented = data[:3] + b"\x10" + data[4:10] + ROOM.replace(b"\0", b"") + b"\0" + data[10:]
    assert "bad gzip header" in refused(tmp_path, commented).message


def test_empty_compressed_blocks_are_refused(tmp_path):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blocks = [packer.compress(TAR)]
    blocks += [packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    stored = b"\0\0\0\xff\xff" * 20000
    data = b"".join([*blocks, stored, packer.flush()])
    assert "larger than what is in it" in refused(tmp_path, data).message


def test_a_gzip_bomb_is_refused_before_it_unpacks(tmp_path, unpacked):
    info = tarfile.TarInfo("w.dat")
    info.size = 1 << 40
    data = info.tobuf(tarfile.GNU_FORMAT) + bytes(100 << 20)
    with no_hang():
        error = refused(tmp_path, gzip.compress(data, 1), LimitError)
    assert "unpacks to more than is allowed" in error.message


def test_an_archive_beyond_the_limit_is_refused(tmp_path):
    error = refused(tmp_path, gzip.compress(packed(FILES)), LimitError, limit_bytes=100)
    assert "100 bytes in all" in error.expected


def test_too_many_members_are_refused(tmp_path):
    folder = tarfile.TarInfo("d")
    folder.type = tarfile.DIRTYPE
    data = folder.tobuf(tarfile.USTAR_FORMAT) * 40000
    assert "32768 members" in refused(tmp_path, gzip.compress(data), LimitError).expected


def test_a_long_pax_header_is_refused(tmp_path):
    info = tarfile.TarInfo("w.dat")
    info.pax_headers = {"comment": "x" * 5000}
    assert (
        "headers of at most"
        in refused(tmp_path, gzip.compress(packed({"w.dat": info})), LimitError).expected
    )


@pytest.mark.parametrize(
    "header",
    [b"99 path=w\n", b"9 path=\n", b"x path=w\n", b"21 GNU.sparse.size=1\n", b"11 size=-1\n"],
    ids=["too-long", "too-short", "no-length", "sparse", "negative-size"],
)
def test_a_damaged_pax_header_is_refused(tmp_path, header):
    note = member(tarfile.XHDTYPE, "note", size=len(header)).tobuf(tarfile.USTAR_FORMAT)
    data = note + header.ljust(512, b"\0") + TAR
    assert "pax header" in refused(tmp_path, gzip.compress(data)).message


def test_a_name_that_is_a_file_and_a_folder_is_refused(tmp_path):
    error = refused(tmp_path, gzip.compress(packed({"a": b"x", "a/b": b"y"})), LimitError)
    assert "cannot be unpacked" in error.message


def test_places_in_a_member_are_told(tmp_path):
    error = refused(tmp_path, gzip.compress(packed({**FILES, "w.dat": b"PK" + bytes(200)})))
    assert error.where.element == "w.dat, byte 0, magic"
    error = refused(tmp_path, gzip.compress(packed({**FILES, "graph.nnef": b"version 1.0;\nx"})))
    assert error.where.element == "graph.nnef:2:1"


def test_labels_are_confined_in_an_archive_too(tmp_path):
    text = FILES["graph.nnef"].replace(b"'w'", b"'../w'")
    error = refused(tmp_path, gzip.compress(packed({**FILES, "graph.nnef": text})))
    assert "leads out" in error.message


def test_other_files_beside_an_archive_are_unused(tmp_path):
    (tmp_path / "model.tgz").write_bytes(gzip.compress(packed(FILES)))
    (tmp_path / "w.dat").write_bytes(FILES["w.dat"])
    with m.opened(m.source(tmp_path, "model.tgz", "w.dat")) as network:
        assert network.unused_files == ("w.dat",)


SEARCH = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ZIPPED = gzip.compress(TAR, mtime=0)


def runs_or_is_refused(folder: Path, data: bytes):
    try:
        with opened(folder, data) as network:
            network.bind().run({p.name: m.floats(*p.shape) for p in network.inputs})
    except ConformanceError as error:
        m.check(error, "model.tgz")


@SEARCH
@given(end=st.integers(0, len(ZIPPED) - 1))
def test_an_archive_cut_anywhere_is_refused(tmp_path, end):
    refused(tmp_path, ZIPPED[:end])


@SEARCH
@given(bit=st.integers(0, 8 * len(ZIPPED) - 1))
def test_an_archive_with_a_flipped_bit(tmp_path, bit):
    data = bytearray(ZIPPED)
    data[bit // 8] ^= 1 << bit % 8
    runs_or_is_refused(tmp_path, bytes(data))


@SEARCH
@given(bit=st.integers(0, 8 * END_OF_FILES - 1))
def test_a_tar_file_with_a_flipped_bit(tmp_path, bit):
    data = bytearray(TAR)
    data[bit // 8] ^= 1 << bit % 8
    runs_or_is_refused(tmp_path, gzip.compress(bytes(data), 1))


@SEARCH
@given(
    field=st.sampled_from([(0, 100), (100, 8), (124, 12), (156, 1), (257, 8), (345, 155)]),
    data=st.data(),
)
def test_a_tar_header_with_anything_in_a_field(tmp_path, field, data):
    offset, size = field
    header = bytearray(TAR[:512])
    header[offset : offset + size] = data.draw(st.binary(min_size=size, max_size=size))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    runs_or_is_refused(tmp_path, gzip.compress(bytes(header) + TAR[512:], 1))


def test_an_archive_that_is_no_file_is_malformed(tmp_path):
    (tmp_path / "model.tgz").mkdir()
    with pytest.raises(MalformedError, match="cannot be opened") as caught:
        m.opened(m.source(tmp_path, "model.tgz"))
    m.check(caught.value, "model.tgz")
