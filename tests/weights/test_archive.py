"""`setup(weights)`: a LoRA and embeddings in a folder, .tar or .zip, and what tries to get out."""

import bz2
import gzip
import lzma
import os
import resource
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from plitka.cli.main import main
from plitka.errors import EngineError, WeightsError
from plitka.weights import archive
from plitka.weights.header import read_header
from plitka.weights.xz import XzStream
from tests.conftest import LoadSdxl
from tests.support.packages import ARCHIVERS, PACKERS, Files, Pack, as_tar, as_zip

LORA = save({"unet.mid_block.attentions.0.proj_in.lora_A.weight": np.ones((2, 32), np.float32)})
WHOLE_LORA = save(
    {
        "unet.mid_block.attentions.0.proj_in.lora_A.weight": np.ones((2, 32), np.float32),
        "unet.mid_block.attentions.0.proj_in.lora_B.weight": np.ones((32, 2), np.float32),
    }
)
EMBEDDINGS = save(
    {
        "text_encoders_0": np.full((2, 768), 0.25, np.float32),
        "text_encoders_1": np.full((2, 1280), 0.25, np.float32),
    }
)
BOTH: Files = {
    "trained/lora.safetensors": WHOLE_LORA,
    "trained/embeddings.pti": EMBEDDINGS,
    "trained/special_params.json": b"{}",
    "trained/notes.bin": b"not read",
}


def refusal(path: Path | str) -> str:
    with pytest.raises(WeightsError) as fault, archive.open_package(path):
        pass
    assert str(path) in str(fault.value)
    return str(fault.value)


@PACKERS
def test_lora_and_embeddings_are_found_by_what_is_in_them(pack: Pack, tmp_path: Path) -> None:
    with archive.open_package(pack(tmp_path / "weights", BOTH)) as found:
        assert found.lora is not None
        assert found.embeddings is not None
        assert found.lora.headers[0].path.read_bytes() == WHOLE_LORA
        assert found.embeddings.headers[0].path.read_bytes() == EMBEDDINGS


@ARCHIVERS
def test_what_was_unpacked_is_gone_afterwards(pack: Pack, tmp_path: Path) -> None:
    with archive.open_package(pack(tmp_path / "weights", BOTH)) as found:
        assert found.lora is not None
        kept = found.lora.headers[0].path
    assert not kept.exists()


def test_the_home_of_nobody_is_a_path_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no such file or folder" in refusal("~no such user/weights.tar")
    for name in ("BASE", "LORA", "VAE"):
        monkeypatch.setenv(f"PLITKA_{name}", "~no such user/file")
    main(["check"])
    said = capsys.readouterr().out
    assert said.count("~no such user/file: no such file or folder") == 3


@PACKERS
def test_the_engine_takes_both_in_place_of_its_settings(
    pack: Pack, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    plain = load_sdxl()
    trained = load_sdxl(pack(tmp_path / "weights", BOTH), LORA_SCALE="0.5")
    before, after = (
        engine.pipe.unet.mid_block.attentions[0].proj_in.weight for engine in (plain, trained)
    )
    np.testing.assert_allclose((after - before).numpy(), 0.5 * 2, rtol=1e-4)
    ids = trained.pipe.tokenizer.convert_tokens_to_ids(["<s0>", "<s1>"])
    assert (trained.pipe.text_encoder.get_input_embeddings().weight[ids] == 0.25).all()


@ARCHIVERS
@pytest.mark.parametrize("name", ["../lora.safetensors", "/lora.safetensors", "a/../../b.json"])
def test_a_path_that_leads_out_is_refused(pack: Pack, name: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    said = refusal(pack(inside / "weights", {**BOTH, name: WHOLE_LORA}))
    assert "points out of the folder" in said
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        path = tmp_path / "weights.tar"
        with tarfile.open(path, "w") as packed:
            entry = tarfile.TarInfo("lora.safetensors")
            entry.type, entry.linkname = kind, "/etc/passwd"
            packed.addfile(entry)
        assert "is a link or a device" in refusal(path)


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.zip"
    with zipfile.ZipFile(path, "w") as packed:
        entry = zipfile.ZipInfo("lora.safetensors")
        entry.external_attr = 0o120777 << 16
        packed.writestr(entry, "/etc/passwd")
    assert "is a link or a device" in refusal(path)


@ARCHIVERS
def test_too_many_files_are_refused(pack: Pack, tmp_path: Path) -> None:
    files = {f"{number}.txt": b"" for number in range(archive.MAX_FILES + 1)}
    assert "holds more than 1,000 files or 4 GiB" in refusal(pack(tmp_path / "weights", files))


@pytest.mark.parametrize(
    "entry",
    [zipfile.ZipInfo("a"), zipfile.ZipInfo("a/"), zipfile.ZipInfo("a" * 60_000)],
    ids=["files", "folders", "long names"],
)
def test_the_directory_of_a_zip_is_refused_before_it_is_in_memory(
    entry: zipfile.ZipInfo, tmp_path: Path
) -> None:
    path = tmp_path / "weights.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(entry, b"")
        directory = packed.start_dir
    content = path.read_bytes()
    end = content.index(b"PK\5\6")
    described = content[directory:end]
    count = 8 * 2**20 // len(described)
    sizes = (count, count, count * len(described), directory)
    path.write_bytes(
        content[:directory]
        + described * count
        + struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, *sizes)
        + struct.pack("<4sLQL", b"PK\6\7", 0, directory + count * len(described), 1)
        + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0)
    )
    tracemalloc.start()
    try:
        assert "holds more than 1,000 files" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("comment", [b"", b"made by a packer" * 4000])
def test_a_zip_with_all_the_files_it_may_have_is_read(comment: bytes, tmp_path: Path) -> None:
    path = as_zip(tmp_path / "weights", BOTH)
    with zipfile.ZipFile(path, "a") as packed:
        packed.comment = comment
        for index in range(1000 - len(BOTH)):
            packed.writestr(f"{'samples' * 30}/{'a' * 200}{index}.png", b"")
    with archive.open_package(path) as package:
        assert package.lora is not None


def as_xz_of_memory(path: Path, code: int) -> Path:
    """A tar that is packed by xz, and says that it takes 2**(code / 2 + 12) bytes to unpack it."""
    tar = as_tar(path, BOTH).read_bytes()
    packed = bytearray(lzma.compress(tar, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    header = packed[12 : 12 + (packed[12] + 1) * 4]
    header[4] = code
    header[-4:] = struct.pack("<I", zlib.crc32(header[:-4]))
    packed[12 : 12 + len(header)] = header
    target = path.with_suffix(".tar.xz")
    target.write_bytes(packed)
    return target


def test_an_archive_that_takes_much_memory_is_refused_before_it_does(tmp_path: Path) -> None:
    path = as_xz_of_memory(tmp_path / "weights", 40)  # 4 GiB
    tracemalloc.start()
    try:
        assert "neither a folder nor a .tar or .zip that can be read" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("code", [12, 28, 32])
def test_archives_of_the_memory_that_packers_take_are_read(code: int, tmp_path: Path) -> None:
    with archive.open_package(as_xz_of_memory(tmp_path / "weights", code)) as package:
        assert package.lora is not None
        assert package.lora.headers[0].path.read_bytes() == WHOLE_LORA


def test_xz_in_several_streams_is_read_and_cut_off_refused(tmp_path: Path) -> None:
    tar = as_tar(tmp_path / "weights", BOTH).read_bytes()
    path = tmp_path / "weights.tar.xz"
    packed = b"".join(lzma.compress(tar[at : at + 700]) for at in range(0, len(tar), 700))
    path.write_bytes(packed)
    with archive.open_package(path) as package:
        assert package.lora is not None
    path.write_bytes(lzma.compress(tar)[:-20])
    assert "weights.tar.xz: " in refusal(path)


def test_a_file_that_says_it_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.tar"
    entry = tarfile.TarInfo("lora.safetensors")
    entry.size = archive.MAX_BYTES + 1
    path.write_bytes(entry.tobuf() + b"\0" * 4096)
    assert "holds more than" in refusal(path)


def test_a_bomb_that_lies_about_its_size_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "WEIGHTS", replace(archive.WEIGHTS, most_bytes=4 * 2**20))
    path = as_zip(tmp_path / "weights", {"lora.safetensors": bytes(64 * 2**20)})
    size = (64 * 2**20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (2**20).to_bytes(4, "little")))
    with pytest.raises(WeightsError, match=r"holds more than|cannot be unpacked"):
        archive.open_package(path).__enter__()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_that_lies_about_its_size_takes_no_memory(method: int, tmp_path: Path) -> None:
    path, size = tmp_path / "weights.zip", 128 * 2**20
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr("lora.safetensors", bytes(size))
    lie = path.read_bytes().replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(lie)
    tracemalloc.start()
    try:
        refusal(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 32 * 2**20


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_is_stored_or_deflated_or_told_to_be(method: int, tmp_path: Path) -> None:
    path = tmp_path / "weights.zip"
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr("lora.safetensors", WHOLE_LORA)
    assert f"(zip method {method}); pack it again with deflate" in refusal(path)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"readme.txt": b""}, "holds neither a LoRA nor embeddings"),
        ({"lora.ckpt": b"\x80\x02"}, "holds neither a LoRA nor embeddings"),
        ({"a.safetensors": LORA, "b.safetensors": LORA}, "holds two files of a LoRA"),
    ],
)
@PACKERS
def test_what_holds_too_little_or_too_much_is_refused(
    pack: Pack, files: Files, sentence: str, tmp_path: Path
) -> None:
    assert sentence in refusal(pack(tmp_path / "weights", files))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such file or folder"),
        (b"neither of them", "neither a folder nor a .tar or .zip"),
    ],
)
def test_what_is_no_archive_is_refused(
    content: bytes | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.tar"
    if content is not None:
        path.write_bytes(content)
    assert sentence in refusal(path)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.bin", "weights"])
@ARCHIVERS
def test_an_archive_is_told_by_its_content(pack: Pack, name: str, tmp_path: Path) -> None:
    path = pack(tmp_path / "packed", BOTH).rename(tmp_path / name)
    with archive.open_package(path) as found:
        assert found.lora is not None
        assert found.lora.title == f"{path}: trained/lora.safetensors"


@pytest.mark.parametrize("name", ["lora.zip", "lora.tar", "lora"])
def test_a_file_of_weights_is_told_by_its_content(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE_LORA)
    with archive.open_package(path) as found:
        assert found.lora is not None
        assert found.lora.title == str(path)


def test_a_tar_with_a_zip_at_its_end_is_a_tar(tmp_path: Path) -> None:
    state = as_zip(tmp_path / "state", {"archive/data.pkl": b"never read"}).read_bytes()
    with archive.open_package(as_tar(tmp_path / "a", {**BOTH, "optimizer.pt": state})) as found:
        assert found.lora is not None


@pytest.mark.parametrize("name", ["lora.safetensors", "lora.ckpt"])
def test_a_pickle_in_a_zip_is_no_archive(name: str, tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a", {"archive/data.pkl": b"never read"}).rename(tmp_path / name)
    assert "pickle" in refusal(path)


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    for path in (as_tar(tmp_path / "a", BOTH), as_zip(tmp_path / "b", BOTH)):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 3])
        assert "; " in refusal(path)


def test_an_archive_that_was_damaged_on_its_way_is_refused(tmp_path: Path) -> None:
    packed = as_zip(tmp_path / "weights", {"lora.safetensors": WHOLE_LORA})
    content = bytearray(packed.read_bytes())
    content[50:80] = bytes(255 - byte for byte in content[50:80])
    packed.write_bytes(content)
    assert "cannot be unpacked" in refusal(packed)
    compressed = tmp_path / "weights.tar.gz"
    noise = np.random.default_rng(0).bytes(20_000)
    whole = gzip.compress(as_tar(tmp_path / "c", {"lora.safetensors": noise}).read_bytes())
    compressed.write_bytes(whole[:9000] + b"\xff" * 3000 + whole[12000:])
    assert "cannot be unpacked" in refusal(compressed)


def test_a_tar_whose_second_entry_is_damaged_is_refused_whole(tmp_path: Path) -> None:
    whole = as_tar(tmp_path / "a", {"lora.safetensors": WHOLE_LORA, "b.pti": EMBEDDINGS})
    content = whole.read_bytes()
    second = content.index(b"b.pti")
    for damaged in (
        content[:second] + b"\xff" + content[second + 1 :],
        content[:second] + bytes(512) + content[second + 512 :],  # which is how a tar ends
        content[: second + 300],
    ):
        for packed in (damaged, gzip.compress(damaged)):
            whole.write_bytes(packed)
            assert "cannot be unpacked" in refusal(whole)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("place", ["first", "second"])
def test_more_headers_than_an_entry_has_are_refused_unread(
    kind: bytes, place: str, tmp_path: Path
) -> None:
    entry = tarfile.TarInfo("lora.safetensors")
    entry.size = len(WHOLE_LORA)
    block = entry.tobuf() + WHOLE_LORA + bytes(-len(WHOLE_LORA) % 512)
    first = b"" if place == "first" else block
    entry.type, entry.size = kind, 0
    many = entry.tobuf() * 2000
    entry.size = 2**24
    for headers in (many, entry.tobuf() + b"1" * 2**24):
        path = tmp_path / "weights.tar.gz"
        path.write_bytes(gzip.compress(first + headers + bytes(10240)))
        said = refusal(path)
        assert "a header that is too long" in said or "neither a folder nor a .tar" in said


def write_entry(name: bytes, size: int, kind: bytes) -> bytes:
    """Write the header of a tar's entry, whose size may be negative. kind: S for a sparse one."""
    head = bytearray(512)
    head[: len(name)], head[156:157], head[257:265] = name, kind, b"ustar  \0"
    head[100:108] = b"0000644\0"
    head[124:136] = b"%011o\0" % size if size >= 0 else size.to_bytes(12, "big", signed=True)
    if kind == b"S":
        head[386:398] = head[398:410] = b"%011o\0" % 0
        head[483:495] = b"%011o\0" % 1
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


@pytest.mark.parametrize("packer", [bz2.compress, gzip.compress, lzma.compress, bytes])
def test_an_entry_of_a_negative_size_does_not_lead_back(
    packer: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    between = 2**15
    back = write_entry(b"again", between, b"0") + bytes(between)
    body = write_entry(b"pad", 2**20, b"0") + bytes(2**20) + back
    path = tmp_path / "weights.tar"
    path.write_bytes(packer(body + write_entry(b"back", -between - 1024, b"S") + bytes(2048)))
    assert "an entry of a negative size" in refusal(path)


def test_zeros_are_no_archive_of_a_million_streams(tmp_path: Path) -> None:
    path = tmp_path / "weights.tar"
    path.write_bytes(bytes(2**22))
    assert "holds neither a LoRA nor embeddings" in refusal(path)
    stream = XzStream(path.open("rb"))
    with stream, pytest.raises(lzma.LZMAError, match="too many streams"):
        stream.read()


def test_what_is_no_regular_file_is_refused_unread(tmp_path: Path) -> None:
    for name in ("weights", "weights.tar", "weights.safetensors"):
        path = tmp_path / name
        os.mkfifo(path)
        assert "is a pipe, a socket or a device, not a file" in refusal(path)
        with pytest.raises(WeightsError, match="not a file"):
            read_header(path, "fetch it again")
    assert "not a file" in refusal("/dev/zero")


@ARCHIVERS
def test_a_full_temporary_folder_is_told_from_a_damaged_archive(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "weights", {"lora.safetensors": bytes(100_000)})
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, most))  # what a full disk is to a write
    try:
        said = refusal(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert "no place to unpack it (File too large); make room" in said
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    assert "no place to unpack it (" in refusal(path)


@ARCHIVERS
def test_folders_without_number_or_end_are_refused(pack: Pack, tmp_path: Path) -> None:
    deep = "a/" * 700 + "lora.safetensors"
    assert "700 folders in each other" in refusal(pack(tmp_path / "deep", {deep: WHOLE_LORA}))
    path = tmp_path / "many.tar"
    with tarfile.open(path, "w") as packed:
        for number in range(5000):
            entry = tarfile.TarInfo(f"{number}")
            entry.type = tarfile.DIRTYPE
            packed.addfile(entry)
    assert "holds more than 1,000 files" in refusal(path)


@ARCHIVERS
def test_a_file_in_the_place_of_a_folder_is_told_without_the_temporary_path(
    pack: Pack, tmp_path: Path
) -> None:
    files = {"a.json": b"{}", "a.json/lora.safetensors": WHOLE_LORA}
    said = refusal(pack(tmp_path / "weights", files))
    assert "cannot be unpacked" in said
    assert "plitka-weights-" not in said


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_path_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("lora.safetensors", WHOLE_LORA)
        packed.writestr("./lora.safetensors", LORA)
    assert "'./lora.safetensors' is in it twice" in refusal(path)


@ARCHIVERS
def test_a_name_that_would_break_a_sentence_is_refused(pack: Pack, tmp_path: Path) -> None:
    said = refusal(pack(tmp_path / "weights", {"lora\n.safetensors": WHOLE_LORA}))
    assert "unprintable characters" in said
    assert "\n" not in said


def test_an_address_is_refused_with_what_to_do() -> None:
    assert "download it" in refusal("https://example.org/trained.tar")


def test_a_lora_alone_is_drawn_without_embeddings_unless_a_setting_names_some(
    load_sdxl: LoadSdxl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = as_tar(tmp_path / "weights", {"lora.safetensors": WHOLE_LORA})
    assert load_sdxl(path, EMBEDDINGS="").subject.vectors == 0
    assert load_sdxl(path, EMBEDDINGS="none").subject.vectors == 0
    assert load_sdxl(path).subject.vectors == 2
    load_sdxl(path, EMBEDDINGS="")
    main(["check", "--weights", str(path)])
    said = capsys.readouterr().out
    assert f"ok     embeddings: none, {path} holds a LoRA and no embeddings; PLITKA_EMB" in said


def test_embeddings_alone_are_not_mixed_with_the_default_lora(
    load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    path = as_tar(tmp_path / "weights", {"embeddings.pti": EMBEDDINGS})
    with pytest.raises(EngineError, match="which were trained together"):
        load_sdxl(path, LORA="")
    assert load_sdxl(path, LORA="none").subject.vectors == 2


def test_nothing_is_left_in_the_temporary_folder_after_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_tar(tmp_path / "weights", {"a.safetensors": LORA, "b.safetensors": LORA})
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    refusal(path)
    assert not list((tmp_path / "temporary").iterdir())
