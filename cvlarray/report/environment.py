"""How the report's templates are filled in: everything escaped, nothing forgotten."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from cvlarray.report import wording

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> jinja2.Environment:
    """Return the templates of all pages."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        hectares=wording.hectares,
        land_area=wording.land_area,
        count=wording.count,
        percent=wording.percent,
        date=wording.date_text,
        duration=wording.duration,
        bytes=wording.byte_size,
    )
    return environment
