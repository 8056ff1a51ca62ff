"""The ZIP archive: what PyTorch does not write is refused, with its place."""

import struct
import zipfile
import zlib

import numpy as np
import pytest

from conformance.runtimes.pytorch.archive import Archive
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.runtimes.pytorch import files, nets

LIMIT = 1 << 24
FORMS = pytest.mark.parametrize("form", files.FORMATS)


def archive_of(tmp_path, data: bytes, *, limit_bytes=LIMIT):
    (tmp_path / "a.pt").write_bytes(data)
    return Archive(tmp_path / "a.pt", "a.pt", limit_bytes)


def plain(*names, data=b"1234"):
    return files.bare_zip([(name.encode(), {}, data) for name in names])


def test_members_are_read_by_their_names_in_the_folder(tmp_path):
    archive = archive_of(tmp_path, plain("net/a", "net/b/c"))
    assert list(archive.members) == ["a", "b/c"]
    assert archive.read("a", 10) == b"1234"
    assert archive.text("b/c", 10) == "1234"
    assert archive.array("a").tolist() == list(b"1234")
    assert archive.size_of("a") == 4
    assert "a" in archive
    assert "x" not in archive


def test_deflated_members_are_unpacked(tmp_path):
    path = files.write_members(tmp_path / "z.pt", {"a": b"7" * 999}, packed=["a"])
    archive = Archive(path, "z.pt", LIMIT)
    assert archive.read("a", 999) == b"7" * 999
    with pytest.raises(UnsupportedError, match="are compressed"):
        archive.array("a")
    with pytest.raises(LimitError, match="too long"):
        archive.read("a", 998)
    with pytest.raises(MalformedError, match="has no member 'b'"):
        archive.size_of("b")


def test_text_is_utf8(tmp_path):
    with pytest.raises(MalformedError, match="is not text"):
        archive_of(tmp_path, plain("net/a", data=b"\xff")).text("a", 10)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "b''"),
        (b"\x80\x02}q\x00.", "before 1.6"),
        (b"\x89HDF\r\n\x1a\n", "HDF"),
        (bytes(257) + b"ustar" + bytes(300), "before 1.6"),
        (b"\x1f\x8b\x08", "x1f"),
        (b"MZ" + plain("net/a"), "MZ"),
    ],
    ids=["empty", "pickle", "hdf5", "tar", "gzip", "prefix"],
)
def test_another_kind_of_file_is_refused(tmp_path, data, found):
    with pytest.raises(ConformanceError) as caught:
        archive_of(tmp_path, data)
    if data:
        assert "not the ZIP archive" in caught.value.message
        assert found in caught.value.found
    assert caught.value.fix


@pytest.mark.parametrize(
    "name",
    [
        *("net/../x", "../net/x", "/etc/passwd", "net//x", "net/./x", "net/", "C:\\x"),
        *("net/a\\b", "net/a\nb", "net/a\0b", ".."),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(MalformedError, match="name that PyTorch does not write") as caught:
        archive_of(tmp_path, plain(name))
    assert ascii(name.encode())[2:-1] in caught.value.found
    assert not (tmp_path.parent / "x").exists()


def test_a_name_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(MalformedError, match="name that PyTorch does not write"):
        archive_of(tmp_path, files.bare_zip([(b"net/\xff", {}, b"1")]))


@pytest.mark.parametrize("names", [("net/a", "other/b"), ("a",), ("net/a", "b")])
def test_members_lie_in_one_folder(tmp_path, names):
    with pytest.raises(MalformedError, match="do not lie in one folder"):
        archive_of(tmp_path, plain(*names))


def test_an_archive_without_members_is_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"PK\5\6" + bytes(18))
    with pytest.raises(MalformedError):
        Archive(tmp_path / "a.pt", "a.pt", LIMIT)


def _one(**fields):
    return files.bare_zip([(b"net/a", fields, b"1234"), (b"net/b", {}, b"5678")])


WIDE = struct.pack("<HHQ", 1, 8, 1 << 60)
DAMAGED = {
    "crc": (_one(crc=1), MalformedError, "is damaged"),
    "size": (_one(size=5), MalformedError, "the sizes of 'net/a' differ"),
    "long": (_one(size=500, packed=500), MalformedError, "does not fit its entry"),
    "short": (_one(size=3, packed=3, crc=zlib.crc32(b"123")), MalformedError, "bytes that belong"),
    "method": (_one(method=12), UnsupportedError, "packed in a way"),
    "encrypted": (_one(flags=1), UnsupportedError, "packed in a way"),
    "masked": (_one(flags=0x2000), UnsupportedError, "packed in a way"),
    "descriptor": (_one(flags=8), MalformedError, "checksum and sizes"),
    "bomb": (_one(method=8, size=1 << 30), MalformedError, "is damaged"),
    "no-deflate": (_one(method=8, size=9), MalformedError, "is damaged"),
    "elsewhere": (_one(header=7), MalformedError, "belong to no member"),
    "beyond": (_one(header=1 << 30), MalformedError, "belong to no member"),
    "wide": (_one(header=0xFFFFFFFF, extra=WIDE), MalformedError, "belong to no member"),
    "extra": (_one(extra=bytes(65)), MalformedError, "an entry of the directory is damaged"),
    "comment": (
        files.bare_zip([(b"net/a", {}, b"1")], comment=b"x"),
        MalformedError,
        "no end-of-central",
    ),
    "behind": (_one() + b"more", MalformedError, "no end-of-central-directory record"),
    "before": (b"PK\3\4" + _one(), MalformedError, "the end of the archive contradicts"),
    "twice": (plain("net/a", "net/a"), MalformedError, "two members 'net/a'"),
    "end": (_one()[:-12] + bytes(12), MalformedError, "contradicts itself"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_archive_is_refused(tmp_path, kind):
    data, error, message = DAMAGED[kind]
    with pytest.raises(error) as caught:
        archive_of(tmp_path, data)
    assert message in caught.value.message
    assert caught.value.where.file == "a.pt"
    assert caught.value.fix


def test_one_header_for_two_entries_is_refused(tmp_path):
    """Data that overlap: how a small archive unpacks to very much."""
    data = files.bare_zip([(b"net/a", {}, b"1234"), (b"net/b", {"header": 0}, b"1234")])
    with pytest.raises(MalformedError):
        archive_of(tmp_path, data)


def test_another_name_in_the_header_is_refused(tmp_path):
    data = plain("net/a").replace(b"net/a", b"net/b", 1)
    with pytest.raises(MalformedError, match="does not fit its entry"):
        archive_of(tmp_path, data)


def test_what_unpacks_to_too_much_is_refused_before_it_does(tmp_path):
    path = files.write_members(tmp_path / "z.pt", {"a": bytes(1 << 25)}, packed=["a"])
    assert path.stat().st_size < 1 << 16
    with pytest.raises(LimitError, match="unpacks to more memory"):
        Archive(path, "z.pt", LIMIT)


def test_a_deflated_member_gives_no_more_than_it_says(tmp_path):
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(bytes(1 << 20)) + packer.flush()
    data = files.bare_zip([(b"net/a", {"method": 8, "size": 100, "crc": 0}, packed)])
    with pytest.raises(MalformedError, match="is damaged") as caught:
        archive_of(tmp_path, data)
    assert caught.value.expected == "100 bytes"


@FORMS
def test_members_that_the_format_has_not_are_refused(copied, reopen, form):
    path = files.changed(copied(form), members={"notes.txt": b"x"})
    with pytest.raises(ConformanceError, match="has a member that") as caught:
        reopen(path, form)
    assert "notes.txt" in caught.value.found


@FORMS
def test_padding_counts_as_size_of_the_original(copied, reopen, form):
    path = copied(form)
    contents = files.members(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(f"net/{name}")
            archive.writestr(info, data)
    data = bytearray(path.read_bytes())
    assert reopen(path, form).counts.parameters
    path.write_bytes(_padded(data, 60_000, 6))
    with reopen(path, form) as network:
        padding = [each for each in network.unread if each.piece.startswith("padding before")]
    assert sum(each.bytes for each in padding) > 6 * 59_000


def _padded(data: bytearray, size: int, count: int) -> bytes:
    """Put ``size`` zeros into the headers of the first ``count`` members."""
    shift, end = 0, data.rindex(b"PK\5\6")
    start = int.from_bytes(data[end + 16 : end + 20], "little")
    directory, out, entries = data[start:end], bytearray(), []
    place = 0
    while place < len(directory):
        fields = struct.unpack_from("<4sHHHHHHIIIHHHHHII", directory, place)
        entries.append((place, fields[16]))
        place += 46 + fields[10] + fields[11]
    stops = [header for _, header in entries[1:]] + [start]
    for index, ((entry, header), stop) in enumerate(zip(entries, stops, strict=True)):
        struct.pack_into("<I", directory, entry + 42, header + shift)
        piece = data[header:stop]
        if index < count:
            name = int.from_bytes(piece[26:28], "little")
            piece[28:30] = size.to_bytes(2, "little")
            piece[30 + name : 30 + name] = bytes(size)
            shift += size
        out += piece
    tail = data[end:]
    tail[16:20] = len(out).to_bytes(4, "little")
    return bytes(out + directory + tail)


@FORMS
def test_data_of_no_tensor_are_refused(copied, reopen, form):
    name = "data/weights/weight_99" if form == "torch-export" else "data/99"
    path = files.changed(copied(form), members={name: bytes(1 << 20)})
    with pytest.raises(ConformanceError, match="data of a tensor that") as caught:
        reopen(path, form)
    assert "1048576 bytes" in caught.value.found


def _data_member(path, form):
    """The member with the weight of the linear layer: 320 values."""
    return next(n for n, d in files.members(path).items() if len(d) == 1280 and "data/" in n)


@FORMS
@pytest.mark.parametrize("change", ["missing", "short", "long", "empty"])
def test_data_that_are_not_as_long_as_the_tensor_are_refused(copied, reopen, form, change):
    path = copied(form)
    name = _data_member(path, form)
    data = files.members(path)[name]
    made = {"missing": None, "short": data[:-4], "long": data + bytes(1 << 17), "empty": b""}
    changed = files.changed(path, members={name: made[change]})
    if (change, form) == ("long", "torch-export"):  # a tensor may be a slice of a larger one
        with reopen(changed, form) as network:
            assert (1 << 17) in [each.bytes for each in network.unread]
        return
    with pytest.raises(ConformanceError) as caught:
        reopen(changed, form)
    assert caught.value.where
    assert caught.value.fix


@FORMS
def test_every_member_that_is_needed_is_missed(copied, reopen, form):
    path = copied(form)
    needed = {
        "torchscript": ("data.pkl", "constants.pkl", "version"),
        "torch-export": ("models/model.json", "archive_format", "archive_version"),
        "torch-state-dict": ("data.pkl", "version"),
    }[form]
    whole = files.members(path)
    for name in needed:
        files.write_members(path, {n: d for n, d in whole.items() if n != name})
        with pytest.raises(ConformanceError):
            reopen(path, form)


@FORMS
def test_numbers_of_another_byte_order_are_refused(copied, reopen, form):
    with pytest.raises(UnsupportedError):
        reopen(files.changed(copied(form), members={"byteorder": b"big"}), form)


@FORMS
def test_a_model_beyond_the_memory_limit_is_refused(saved, form):
    given = saved(form, "cnn")
    small = files.source(given.root, *given.display, limit_bytes=1000)
    with pytest.raises(LimitError):
        files.opened(form, small)


@FORMS
def test_an_archive_that_was_packed_again_is_refused(copied, reopen, form):
    path = copied(form)
    files.write_members(path, files.members(path), packed=list(files.members(path)))
    with pytest.raises(UnsupportedError, match="are compressed"):
        reopen(path, form).bind()


@FORMS
def test_an_archive_that_was_written_again_gives_the_same(copied, reopen, saved, form):
    path = copied(form)
    files.write_members(path, files.members(path), root="another")
    with reopen(path, form) as network, files.opened(form, saved(form, "cnn")) as own:
        assert files.same(nets.own(network), nets.own(own))
        x = nets.inputs("cnn")
        assert np.array_equal(network.bind().run(x)["output"], own.bind().run(x)["output"])


@pytest.mark.parametrize("form", ["torchscript", "torch-state-dict"])
def test_formats_are_not_mixed_up(saved, tmp_path, form):
    other = "torch-state-dict" if form == "torchscript" else "torchscript"
    (tmp_path / "net.pt").write_bytes(saved(other, "cnn").files[0].read_bytes())
    (tmp_path / "net.onnx").write_bytes(saved("torch-state-dict", "cnn").files[1].read_bytes())
    names = ["net.pt", "net.onnx"] if form == "torch-state-dict" else ["net.pt"]
    with pytest.raises(ConformanceError, match="the archive") as caught:
        files.opened(form, files.source(tmp_path, *names))
    assert f'"{other}"' in caught.value.fix
