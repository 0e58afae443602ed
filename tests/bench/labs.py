"""The spine's five scenarios in the root, rootless and Docker labs: verdicts, findings, and how
long each client took to notice, beside one another.

    python tests/bench/labs.py [--user NAME] [--labs root,rootless,docker] [SCENARIO...]

Run as root, with the images of `netdiag image build`; the rootless lab is run as NAME (nobody).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SPINE = ("brpop-zombie", "request-in-flight", "reply-lost", "heal-before-retry-ends",
         "heal-after-fin")
CLI = "import sys; from netdiag.cli import main; sys.exit(main())"
SHARE, SPARE = 0.05, 0.1  # 5 % + 100 ms


def cells(lab: str, scenario: str, user: str) -> dict[str, dict]:
    out = tempfile.mkdtemp()
    Path(out).chmod(0o777)
    words = [sys.executable, "-c", CLI, "run", scenario, "--json", "--out", out]
    words += ["--lab", "docker"] if lab == "docker" else []
    words = ["runuser", "-u", user, "--", *words] if lab == "rootless" else words
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"{lab} {scenario}: {done.stderr[-500:]}")
    return {cell["id"]: cell for cell in json.loads(done.stdout)["cells"]}


def facts(cell: dict) -> tuple:
    return (
        cell["outcome"],
        tuple((one["expectation"], one["outcome"]) for one in cell["verdicts"]),
        tuple(sorted(one["fate"] for one in cell["messages"])),
        (cell["noticed"] or {}).get("type"),
        (cell["noticed"] or {}).get("errno"),
        sorted((one["side"]) for one in cell["zombies"]),
    )


def close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SHARE * max(one, other) + SPARE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--user", default="nobody")
    parser.add_argument("--labs", default="root,rootless,docker")
    parser.add_argument("scenarios", nargs="*", default=SPINE)
    asked = parser.parse_args()
    labs, wrong = asked.labs.split(","), 0
    print(f"{'cell':44}" + "".join(f"{lab:>12}" for lab in labs) + "  same")
    for scenario in asked.scenarios:
        found = {lab: cells(lab, scenario, asked.user) for lab in labs}
        for cell in found[labs[0]]:
            rows = [found[lab][cell] for lab in labs]
            times = [(row["noticed"] or {}).get("t") for row in rows]
            same = all(facts(row) == facts(rows[0]) for row in rows)
            near = all(close(times[0], other) for other in times)
            wrong += not (same and near)
            shown = "".join(f"{'never' if t is None else f'{t:.2f} s':>12}" for t in times)
            print(f"{scenario + '/' + cell:44}{shown}  {'yes' if same and near else 'NO'}"
                  f" {rows[0]['outcome']}", flush=True)
            if not same:
                for lab, row in zip(labs, rows, strict=True):
                    print(f"    {lab}: {facts(row)} {row['unknown']}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
