"""Any bytes as a capture, guided by coverage; run it by hand, it is not a test.

pip install atheris
python tests/fuzz/captures.py DIRECTORY [libFuzzer's options]    its corpus, seeded if empty

What must hold of any bytes: they are refused in one sentence, or read; both ways of reading say the
same; findings and every report can be drawn; nothing off the wire moves a terminal's cursor; and
what is kept grows with the connections, not with the bytes.
"""

# ruff: noqa: E402 -- what is imported first is what coverage is measured of
from __future__ import annotations

import dataclasses
import io
import json
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["netdiag.tcp", "netdiag.analysis.findings"]):
    from netdiag.analysis.findings import find
    from netdiag.errors import RecordingError
    from netdiag.tcp.engine import analyse_capture
    from netdiag.tcp.native import available
    from netdiag.tcp.rows import KEPT_FIRST, KEPT_LAST

from rich.console import Console

from netdiag.report.capture import view_of_capture
from netdiag.report.capture_data import capture_csv, capture_json
from netdiag.report.capture_flow import view_of_flow
from netdiag.report.capture_terminal import print_capture
from tests.tcp import making
from tests.tcp.recorded import NAMES

LIMITS = ("-max_len=65536", "-timeout=20", "-rss_limit_mb=2048")  # bytes, seconds, MiB
SMALL = 200  # frames of a recorded capture that is a seed
FLOWS = 4  # connections whose timelines are drawn


def seed(folder: Path) -> None:
    """The shared captures in every container, and some of them on every link."""
    for name in NAMES:
        found = making.bare(name)[:SMALL]
        for container in (making.pcap, making.pcapng, making.big_endian_pcapng):
            (folder / f"{name}-{container.__name__}").write_bytes(container(found))
    for link in making.LINKS:
        found = making.bare("refused")
        six = [making.Bare(t_ns, making.ipv6(data)) for t_ns, data in found]
        (folder / link.replace(", ", "-")).write_bytes(making.pcap(found + six, link))


def look(data: bytes) -> None:
    """Read, judge and draw."""
    try:
        facts = analyse_capture(io.BytesIO(data), compiled=False)
    except RecordingError as err:
        assert "\n" not in str(err)
        return
    if available():
        other = analyse_capture(io.BytesIO(data), compiled=True)
        assert dataclasses.replace(other, source=facts.source) == facts
    assert facts.totals.frames <= len(data) // 12 + 1
    assert len(facts.connections) <= facts.totals.tcp
    assert len(facts.rows.rows) <= len(facts.connections) * (KEPT_FIRST + KEPT_LAST)
    findings = find(facts)
    text = "".join(capture_json(facts, findings, range(len(facts.connections))))
    json.loads(text, parse_constant=int)  # NaN and Infinity, which JSON has not, are no ints
    out = io.StringIO()
    console = Console(file=out, width=80)
    view = view_of_capture(facts, findings)
    print_capture(view, console)
    for connection in facts.connections[:FLOWS]:
        print_capture(view, console, view_of_flow(facts, connection, findings))
    text = out.getvalue() + "".join(capture_csv(facts, findings)).replace("\r\n", "\n")
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def main() -> None:
    """Seed the corpus, and begin."""
    options = sys.argv[1:]
    corpus = next((Path(one) for one in options if not one.startswith("-")), None)
    if corpus is None:
        sys.exit(__doc__)
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        seed(corpus)
    atheris.Setup([sys.argv[0], *LIMITS, *options], look)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
