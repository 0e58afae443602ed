"""Offloads switched on again: what a kernel refuses is told, what it need not do is not."""

from __future__ import annotations

import errno
import os

import pytest
from pytest import param

from netdiag.errors import LabError
from netdiag.lab import offload

TSO, GSO = "tcp segmentation", "generic segmentation"


class Kernel:
    """An interface's features by the numbers of linux/ethtool.h; some do not change."""

    def __init__(self, on: set[str], refuses: dict[str, int]) -> None:
        self.on, self._refuses = on, refuses

    def ask(self, interface: str, command: int, value: int) -> int:
        del interface
        names = {number: name for name, number in offload._OFF.items()}
        if command in names:
            name = names[command]
            if name in self._refuses:
                raise OSError(self._refuses[name], os.strerror(self._refuses[name]))
            (self.on.add if value else self.on.discard)(name)
            return value
        return int(names[command + 1] in self.on)


@pytest.mark.parametrize(("on", "refuses", "told"), [
    param(set(), {}, None, id="all are on again"),
    param({TSO}, {TSO: errno.EOPNOTSUPP}, None, id="one that cannot be off"),
    param(set(), {TSO: errno.EPERM},
          f"eth0 has {TSO} off now, so it is slower than it was (Operation not permitted); switch "
          "on what `ethtool -k eth0` shows, with `ethtool -K`", id="refused, and it is off"),
])
def test_what_is_still_off_is_told(
    on: set[str], refuses: dict[str, int], told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(on, refuses)
    monkeypatch.setattr(offload, "_ask", kernel.ask)
    if told is None:
        offload.switch_on("eth0", [TSO, GSO])
        assert kernel.on == {TSO, GSO}
    else:
        with pytest.raises(LabError) as raised:
            offload.switch_on("eth0", [TSO, GSO])
        assert str(raised.value) == told
        assert kernel.on == {GSO}


def test_an_interface_that_has_gone_is_no_refusal() -> None:
    with pytest.raises(OSError, match="No such device"):
        offload.switch_on("netdiag-none0", [TSO])
