"""The kernel settings that a scenario can change on a lab host: sysctl name -> value.

The rule this file guards: only the network's sysctls are a scenario's to set; they belong to the
host's own network namespace and vanish with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from netdiag.units import Written, did_you_mean, shown

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

HostName = str
_NAME = re.compile(r"net(\.[a-z0-9_-]{1,64}){2,6}")


def _sysctls(raw: object) -> dict[str, str | int]:
    if not isinstance(raw, Mapping):
        raise ValueError(f"{shown(raw)} is not a mapping; write {{net.ipv4.tcp_retries2: 8}}")
    by_end = {name.rsplit(".", 1)[1]: name for name in SYSCTLS}
    for name, value in raw.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            near = f"did you mean '{by_end[name]}'?" if name in by_end else \
                did_you_mean(name, tuple(SYSCTLS)) if "tcp" in str(name) else \
                "write one such as net.ipv4.tcp_retries2"
            raise ValueError(f"{shown(name)} is not a network sysctl; {near}")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"sysctl '{name}' is {shown(value)}; write a whole number or text")
    return dict(raw)


Sysctls = Annotated[Mapping[str, str | int], Written(_sysctls, {
    "type": "object", "propertyNames": {"pattern": r"^net\.", },
    "additionalProperties": {"type": ["integer", "string"]}})]
"""sysctl name -> value, as written."""
