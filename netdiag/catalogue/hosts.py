"""The kernel settings that a scenario can change on a lab host: sysctl name -> value.

The rule this file guards: only the network's sysctls are a scenario's to set; they belong to the
host's own network namespace and vanish with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from netdiag.units import did_you_mean, shown
from netdiag.written import Written

SYSCTLS: dict[str, str] = {
    "net.ipv4.tcp_keepalive_time": "seconds of silence before the first keepalive probe (7200)",
    "net.ipv4.tcp_keepalive_intvl": "seconds between keepalive probes (75)",
    "net.ipv4.tcp_keepalive_probes": "unanswered probes until the connection is dead (9)",
    "net.ipv4.tcp_retries1": "retransmissions before the route is doubted (3)",
    "net.ipv4.tcp_retries2": "retransmissions before the connection is dead (15: about 924 s)",
    "net.ipv4.tcp_orphan_retries": "the same for a closed socket's data and FIN (0 means 8)",
    "net.ipv4.tcp_fin_timeout": "seconds in FIN-WAIT-2 (60)",
    "net.ipv4.tcp_syn_retries": "retransmissions of a SYN (6: about 131 s)",
    "net.ipv4.tcp_synack_retries": "retransmissions of a SYN-ACK (5)",
    "net.ipv4.tcp_max_orphans": "closed sockets the kernel keeps before it resets them",
    "net.ipv4.tcp_timestamps": "RFC 7323 timestamps (1)",
    "net.ipv4.tcp_sack": "selective acknowledgements (1)",
    "net.ipv4.tcp_early_retrans": "tail loss probes (3)",
    "net.ipv4.tcp_frto": "F-RTO (2)",
    "net.ipv4.tcp_rmem": "receive buffer: least, default, most",
    "net.ipv4.tcp_wmem": "send buffer: least, default, most",
    "net.ipv4.tcp_congestion_control": "congestion control's name",
}
"""What matters here, with the kernel's default; others that begin with net. can be set, too."""

_PREFIX = "net.ipv4."
_NAME = re.compile(r"net(\.[a-z0-9_-]{1,64}){2,6}")


_BY_END = {name.rsplit(".", 1)[1]: name for name in SYSCTLS}


def _sysctl(raw: object) -> str:
    if isinstance(raw, str) and _NAME.fullmatch(raw):
        return raw
    meant = _BY_END.get(str(raw), str(raw))
    hint = did_you_mean(meant, tuple(SYSCTLS)) if "tcp" in meant else \
        "write one such as net.ipv4.tcp_retries2"
    raise ValueError(f"{shown(raw)} is not a network sysctl; {hint}")


def _value(raw: object) -> str | int:
    if isinstance(raw, str | int) and not isinstance(raw, bool) and raw != "":
        return raw
    raise ValueError(f"{shown(raw)} is no sysctl's value; write a whole number or text")


def numbers(sysctls: Mapping[str, str | int]) -> dict[str, int]:
    """Those of net.ipv4 that hold a single number, without that prefix."""
    return {
        name.removeprefix(_PREFIX): int(value)
        for name, value in sysctls.items()
        if name.startswith(_PREFIX) and str(value).strip().isdecimal()
    }


Sysctls = Mapping[
    Annotated[str, Written(_sysctl, {"pattern": r"^net\."})],
    Annotated[str | int, Written(_value, {"type": ["integer", "string"]})],
]
"""sysctl name -> value, as written."""
