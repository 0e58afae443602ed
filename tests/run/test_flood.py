"""A client that talks without end: the cell lives, and says that it spins."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from tests.run.running import Home, needs_lab

if TYPE_CHECKING:
    from pathlib import Path

FLOODER = textwrap.dedent("""
    import json, os, socket
    told = json.loads(os.environ["NETDIAG_CLIENT"])
    voice = int(os.environ["NETDIAG_EVENTS"])
    say = lambda what, outcome: b'{"what": "%s", "outcome": "%s", "data": {}}\\n' % (what, outcome)
    server = socket.create_connection((told["host"], told["port"]))
    os.write(voice, say(b"call", b"start"))
    server.sendall(b"*3\\r\\n$5\\r\\nBRPOP\\r\\n$4\\r\\njobs\\r\\n$1\\r\\n0\\r\\n")
    server.settimeout(1.5)
    try:
        server.recv(4096)
    except TimeoutError:
        pass
    while True:  # a library that takes an error for an empty answer
        os.write(voice, say(b"return", b"ok"))
""")
SCENARIO = """
name: flood
client: {{kind: exec, command: [python3, {program}]}}
workload:
  pattern: brpop
  key: jobs
  produce: [{{at: {{event: active, after: 100ms}}, count: 1}}]
faults:
  - {{name: cut, at: blocked, do: blackhole, heal: {{event: return, nth: 2000}}}}
expect: {{detected_within: never}}
duration: 4s
"""


@needs_lab
def test_a_client_that_talks_without_end_costs_its_cell_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    program = tmp_path / "flooder.py"
    program.write_text(FLOODER)
    done = home.record(SCENARIO.format(program=program))
    assert done.code == 0, done.out + done.err
    (told,) = json.loads(next(home.out.glob("flood/20*/analysis.json")).read_text())["cells"]
    (application,) = (one["text"] for one in told["beliefs"] if one["who"] == "the application")
    assert application.startswith("spinning: ")
    assert "a second end in vain" in application
