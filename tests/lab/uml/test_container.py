"""In a Docker container started with no options, as uid 1000: no namespace is to be had there, and
the guest runs all the same. The image has Debian's Python, this project and the kernel's file.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import netdiag
from netdiag.errors import LabError
from netdiag.lab.docker.engine import Engine, connect
from netdiag.lab.docker.images import IMAGES, build
from netdiag.scenario.shelf import compose_shelf
from tests.lab.uml.kernel import KERNEL, needs_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

TAG = "netdiag/test-guest"
DOCKERFILE = """
FROM netdiag/redis-py
COPY site /opt/site
COPY netdiag /opt/site/netdiag
COPY linux /opt/linux
COPY guest.yaml /opt/guest.yaml
ENV PYTHONPATH=/opt/site NETDIAG_KERNEL=/opt/linux PYTHONDONTWRITEBYTECODE=1
"""
SCENARIO = """
name: guest
client: {settings: {keepalive: {idle: 1s, interval: 1s, count: 2}, read_timeout: null, retry: 0}}
workload: {pattern: brpop, block: 0s, after_error: exit}
faults: [{name: cut, at: blocked, do: blackhole}]
expect: {detected_within: keepalive + 5s, error: {errno: ETIMEDOUT}}
duration: 12s
"""
RUN = "import sys; from netdiag.cli import main; sys.argv[0] = 'netdiag'; main()"


def _engine() -> tuple[Engine | None, str]:
    try:
        return connect(), ""
    except LabError as err:
        return None, str(err)


ENGINE, _WHY_NOT = _engine()
pytestmark = [
    needs_kernel,
    pytest.mark.skipif(ENGINE is None, reason=_WHY_NOT or "-"),
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the image has Python 3.11"),
]


def distributions(*names: str) -> Iterator[importlib.metadata.Distribution]:
    """These distributions, and all that they require here."""
    waiting, seen = list(names), set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # of another system or an extra
            continue
        yield found
        for line in found.requires or ():
            if "extra ==" not in line:
                waiting.append(re.split(r"[^\w.-]", line, maxsplit=1)[0])


def copy(found: importlib.metadata.Distribution, site: Path) -> None:
    for file in found.files or ():
        source = Path(str(found.locate_file(file)))
        if ".." not in file.parts and source.is_file() and source.suffix != ".pyc":
            target = site.joinpath(*file.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert ENGINE is not None
    assert KERNEL is not None
    if not ENGINE.has_image(f"{IMAGES['redis-py'].tag}:latest"):
        build(ENGINE, ["redis-py"], compose=compose_shelf(), base=None, tell=print)
    context = tmp_path_factory.mktemp("context")
    for found in distributions("netdiag"):
        copy(found, context / "site")
    shutil.rmtree(context / "site" / "netdiag", ignore_errors=True)
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(netdiag.__file__).parent, context / "netdiag", ignore=leave_out)
    shutil.copy2(KERNEL.path, context / "linux")
    (context / "guest.yaml").write_text(SCENARIO, encoding="utf-8")
    (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    ENGINE.build(context, "Dockerfile", TAG, {})
    yield TAG
    docker("image", "rm", "--force", TAG)


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=240, check=False
    )


def in_container(image: str, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    asked = ["run", "--rm", "--user", "1000", "--network", "none", "--workdir", "/tmp"]
    return docker(*asked, image, "python3", "-c", program, *words)


def test_the_default_sandbox_cannot_start_there_and_says_what_would(image: str) -> None:
    done = in_container(image, RUN, "run", "/opt/guest.yaml")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "`--lab uml`" in done.stderr


@pytest.mark.parametrize("options", [("--lab", "uml"), ("--warp",)], ids=["real time", "virtual"])
def test_the_guest_runs_there(image: str, options: tuple[str, ...]) -> None:
    done = in_container(image, RUN, "run", "/opt/guest.yaml", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TimeoutError ETIMEDOUT (keepalive timer)" in done.stdout
