"""The kernel for tests that boot guests, and machines without namespaces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netdiag.errors import LabError
from netdiag.lab.uml.kernels import NAMED, Kernel, choose
from netdiag.process import CLONE_NEWUSER, unshare

REQUIRED = "NETDIAG_REQUIRE_KERNEL"


def _kernel() -> tuple[Kernel | None, str]:
    try:
        return choose(), ""
    except LabError as err:
        return None, str(err)


KERNEL, _WHY_NOT = _kernel()
needs_kernel = pytest.mark.skipif(
    KERNEL is None and not os.environ.get(REQUIRED), reason=_WHY_NOT or "-"
)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """The kernel, also for runs in a home of their own, whose cache is empty."""
    assert KERNEL is not None, _WHY_NOT
    monkeypatch.setenv(NAMED, str(KERNEL.path))
    return KERNEL


def without_namespaces() -> None:
    """In a child before its exec: from here on no namespace is to be had, as in a container."""
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    for kind in ("user", "pid", "mnt", "net"):
        Path(f"/proc/sys/user/max_{kind}_namespaces").write_text("0", encoding="ascii")
