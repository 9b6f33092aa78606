"""The part of a run's report that says where the run comes from."""

from collections.abc import Mapping
from typing import Any

from framework.formatting import format_duration, format_size, format_time
from framework.markup import Inside, Markup, make_tag, render_code

Manifest = Mapping[str, Any]


def render_lineage(manifest: Manifest, before: Manifest | None) -> Markup:
    """Render where the run comes from: input, code, contract, times."""
    source = manifest["input"]
    terms: list[tuple[str, Inside]] = [
        ("Input", render_code(f"s3://{source['bucket']}/{source['key']}")),
        ("Version", render_code(source["version"] or "none")),
        ("ETag", render_code(source["etag"])),
        *_list_objects(source),
        ("Size", format_size(source["bytes"])),
        *_list_parameters(manifest),
        ("Run", render_code(manifest["run_id"])),
        ("Run before it", render_code(before["run_id"]) if before else "none"),
        ("Processing job", render_code(manifest["job"] or "none: run by hand")),
        ("Code", render_code(manifest["code"])),
        ("Contract", _describe_contract(manifest["contract"])),
        ("Spark", manifest["spark"]),
        ("Started", format_time(manifest["started"])),
        ("Published", format_time(manifest["at"])),
        (
            "Took",
            ", ".join(
                f"{what} {format_duration(seconds)}"
                for what, seconds in manifest["seconds"].items()
            ),
        ),
    ]
    return make_tag("dl", ((make_tag("dt", term), make_tag("dd", what)) for term, what in terms))


def _describe_contract(contract: Mapping[str, Any]) -> str:
    name = f"{contract['name']}, " if "name" in contract else ""
    return f"{name}version {contract['version']}"


def _list_objects(source: Mapping[str, Any]) -> list[tuple[str, Inside]]:
    """List how many objects a batch has; the manifest names them."""
    objects = source.get("objects", ())
    return [("Objects", f"{len(objects):,}, which the manifest names")] if objects else []


def _list_parameters(manifest: Manifest) -> list[tuple[str, Inside]]:
    given = manifest.get("parameters", {})
    shown = ", ".join(f"{name} = {value}" for name, value in given.items())
    return [("Parameters", render_code(shown))] if shown else []
