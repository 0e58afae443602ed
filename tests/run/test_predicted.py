"""A small draw of tests/bench/predicted.py: real kernels, real Redis, on the virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.cli.predict import kernel_of
from tests.bench.predicted import measure
from tests.lab.uml.kernel import needs_kernel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_kernel


def test_drawn_cells_end_inside_the_intervals_that_their_settings_foretell(tmp_path: Path) -> None:
    rows, silent = measure(3, 12, tmp_path, kernel_of(None, None, warp=True))
    assert silent == []
    assert len([row for row in rows if row.known]) >= 24
    assert [row for row in rows if row.known and not row.inside] == []
    assert [row for row in rows if row.too_wide] == []
