"""What a kernel is built from: the newest on the shelf, verified, without the needless."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from netdiag.errors import LabError
from netdiag.lab.uml.source import Source, find, unpack

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("arch/um/Kconfig", "drivers/gpu/Kconfig", "drivers/gpu/card.c", "kernel/sched.c")


def tarball(path: Path, files: tuple[str, ...] = FILES) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in files:
            about = tarfile.TarInfo(f"linux-6.1/{name}")
            about.size = 2
            tar.addfile(about, io.BytesIO(b"x\n"))
    return path


def test_the_newest_of_the_shelf_is_taken(tmp_path: Path) -> None:
    for version in ("5.9", "6.10", "6.2"):
        tarball(tmp_path / f"linux-source-{version}.tar.gz")
    assert find(None, shelf=tmp_path).path.name == "linux-source-6.10.tar.gz"


def test_a_tarball_in_a_directory_of_its_own_is_found_as_ubuntu_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "linux-source-6.8.0"
    folder.mkdir()
    tarball(folder / "linux-source-6.8.0.tar.gz")
    assert find(None, shelf=tmp_path).path == folder / "linux-source-6.8.0.tar.gz"


def test_an_empty_shelf_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="apt-get install -y linux-source"):
        find(None, shelf=tmp_path)


@pytest.mark.parametrize("right", [True, False])
def test_the_packages_own_sum_is_compared(tmp_path: Path, right: bool) -> None:
    path = tarball(tmp_path / "linux-source-6.1.tar.gz")
    value = hashlib.md5(path.read_bytes()).hexdigest() if right else "0" * 32
    sums = tmp_path / "linux-source-6.1.md5sums"
    sums.write_text(f"{value}  {str(path).lstrip('/')}\n")
    if right:
        assert find(path, dpkg=tmp_path).vouched == f"md5 sum as in {sums}"
    else:
        with pytest.raises(LabError, match="is damaged: its md5 sum is not the one in"):
            find(path, dpkg=tmp_path)


@pytest.mark.parametrize("name", ["linux-6.1.tar.gz.sha256", "sha256sums.asc"])
def test_a_sum_beside_the_tarball_is_compared(tmp_path: Path, name: str) -> None:
    path = tarball(tmp_path / "linux-6.1.tar.gz")
    sums = tmp_path / name
    sums.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    assert find(path, dpkg=tmp_path).vouched == f"sha256 sum as in {sums}"
    sums.write_text(f"{'0' * 64} *{path.name}\n")
    with pytest.raises(LabError, match="damaged"):
        find(path, dpkg=tmp_path)


def test_a_tarball_that_nobody_vouches_for_says_so(tmp_path: Path) -> None:
    assert find(tarball(tmp_path / "x.tar.gz"), dpkg=tmp_path).vouched == "no checksum came with it"


@pytest.mark.parametrize(
    ("name", "reason"), [("empty", "no arch/um/Kconfig"), ("nowhere", "no such file or directory")]
)
def test_what_is_no_source_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match=reason):
        find(tmp_path / name)


def test_a_tarball_is_unpacked_without_drivers_that_no_guest_has(tmp_path: Path) -> None:
    path = tarball(tmp_path / "x.tar.gz")
    place = tmp_path / "place"
    place.mkdir()
    top = unpack(Source(path, ""), place)
    found = {str(one.relative_to(top)) for one in top.rglob("*") if one.is_file()}
    assert found == set(FILES) - {"drivers/gpu/card.c"}


def test_a_directory_is_copied_and_stays_as_it_was(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    for name in ("arch/um", ".git"):
        (theirs / name).mkdir(parents=True)
    (theirs / "arch/um/Kconfig").write_text("config HZ\n")
    top = unpack(find(theirs), tmp_path)
    (top / "arch/um/Kconfig").write_text("changed")
    assert (theirs / "arch/um/Kconfig").read_text() == "config HZ\n"
    assert not (top / ".git").exists()


@pytest.mark.parametrize("files", [(), ("kernel/sched.c",)])
def test_a_tarball_without_a_kernel_is_refused(tmp_path: Path, files: tuple[str, ...]) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(LabError, match="cannot be unpacked"):
        unpack(Source(tarball(tmp_path / "x.tar.gz", files), ""), place)
