"""`netdiag schema`: the JSON Schemas of what netdiag reads and of what it writes."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.option("--analysis", is_flag=True, help="The schema of an analysis (run --json) instead.")
def command(analysis: bool) -> int:
    """Print the JSON Schema (draft 2020-12) of a scenario file.

    Editors that use yaml-language-server check and complete a scenario while it is written:

    \b
      netdiag schema > netdiag.schema.json
      # yaml-language-server: $schema=netdiag.schema.json    (first line of the scenario)
    """
    if analysis:
        from netdiag.analysis.schema import analysis_schema  # noqa: PLC0415 - imports when called

        schema = analysis_schema()
    else:
        from netdiag.scenario import json_schema  # noqa: PLC0415

        schema = json_schema()
    click.echo(json.dumps(schema, indent=1))
    return 0
