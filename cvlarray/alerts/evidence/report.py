"""The report of an alert as PDF: what was seen, where, how, and from which sources."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from fpdf import FPDF, XPos, YPos
from fpdf.fonts import FontFace
from PIL import Image

from cvlarray.alerts.evidence.coordinates import degrees_minutes_seconds, outline_vertices, utm
from cvlarray.alerts.evidence.report_words import Words
from cvlarray.alerts.package import Dossier

__all__ = ["report_pdf"]

FONT = "DejaVu"
FONT_FILES = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
"""matplotlib brings them; being embedded, they show the same everywhere."""
TEXT_PT, SMALL_PT, HEADING_PT, TITLE_PT = 9, 7, 12, 17
LINE_MM = 4.6
MARGIN_MM = 18
PICTURE_GAP_MM = 4
MAX_PICTURE_MM = 62
WITH_HEADING_MM = 28
"""A heading isn't left alone at the foot of a page."""
MAX_VERTICES = 40
SHORT_HASH = 16
GREY, RULE_GREY = 110, 205
ACCENT = (15, 76, 58)


def report_pdf(dossier: Dossier, words: Words) -> bytes:
    """Return the report, A4; the same alert gives the same bytes.

    Parameters
    ----------
    dossier
        The alert.
    words
        The language.
    """
    page = _Report(dossier, words)
    page.heading_and_facts()
    page.pictures()
    page.location()
    page.jurisdiction()
    page.paragraph(words.method, words.method_text)
    page.paragraph(words.limits, words.limits_text)
    page.sources()
    page.paragraph(words.check, words.check_text)
    page.outline()
    return bytes(page.output())


class _Report(FPDF):
    """One report being written."""

    def __init__(self, dossier: Dossier, words: Words) -> None:
        super().__init__(format="A4")
        self._dossier, self._words = dossier, words
        self._told = dossier.properties
        self.set_creation_date(dossier.made_at)
        self.set_title(f"{words.title}: {dossier.event_id}")
        self.set_lang(words.code)
        self.set_producer(dossier.software)
        self.set_margins(MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM)
        folder = Path(mpl.get_data_path(), "fonts", "ttf")
        for style, name in FONT_FILES.items():
            self.add_font(FONT, style, folder / name)
        self.set_font(FONT, size=TEXT_PT)
        self.add_page()

    def footer(self) -> None:
        """Write the alert and the page at the foot."""
        self.set_y(-12)
        self.set_font(FONT, size=SMALL_PT)
        self.set_text_color(GREY)
        self.cell(text=f"{self._dossier.name} · {self._words.page} {self.page_no()}/{{nb}}")
        self.set_text_color(0)

    def heading_and_facts(self) -> None:
        """Write the title and the table of facts."""
        self.set_font(FONT, "B", TITLE_PT)
        self.set_text_color(*ACCENT)
        self._line(self._words.title)
        self.set_text_color(0)
        self.ln(2)
        rows = [(self._words.facts[name], text) for name, text in self._facts().items() if text]
        self._table(rows, widths=(30, 70), is_headed=False)

    def pictures(self) -> None:
        """Place the pictures, two beside each other, with date and rendering below."""
        shown = [
            (self._words.captions.get(name, name), picture)
            for name, picture in self._dossier.pictures.items()
        ]
        if not shown:
            return
        self._heading(self._words.pictures)
        width = (self.epw - PICTURE_GAP_MM) / 2
        for first in range(0, len(shown), 2):
            self._keep_together(MAX_PICTURE_MM + 2 * LINE_MM)
            top, bottom = self.get_y() + 1, 0.0
            for column, (caption, picture) in enumerate(shown[first : first + 2]):
                x = self.l_margin + column * (width + PICTURE_GAP_MM)
                height = _fitting_height(picture.png)
                self.image(io.BytesIO(picture.png), x=x, y=top, h=height)
                bottom = max(bottom, top + height)
                self.set_xy(x, top + height)
                self.set_font(FONT, size=SMALL_PT)
                how = self._words.renderings.get(picture.rendering, picture.rendering)
                self.cell(w=width, h=LINE_MM, text=f"{caption}: {picture.date}, {how}")
            self.set_xy(self.l_margin, bottom + LINE_MM)

    def location(self) -> None:
        """Write a point inside, in degrees and in UTM."""
        words = self._words
        self._heading(words.where)
        point = self._dossier.geometry.representative_point()
        place = utm(point.x, point.y)
        latitude = degrees_minutes_seconds(point.y, directions="NS")
        longitude = degrees_minutes_seconds(
            point.x, directions="EO" if words.code == "es" else "EW"
        )
        self._line(f"WGS 84: {point.y:.6f}, {point.x:.6f} ({latitude}, {longitude})")
        self._line(
            f"WGS 84 / UTM {place.zone}: {words.easting} {place.easting_m:.1f}, "
            f"{words.northing} {place.northing_m:.1f}"
        )

    def outline(self) -> None:
        """List the vertices of the outline, in one UTM zone and in degrees."""
        words = self._words
        point = self._dossier.geometry.representative_point()
        zone = utm(point.x, point.y).zone
        self._heading(f"{words.outline}: WGS 84 / UTM {zone}, EPSG:4326")
        rows = [(words.vertex, words.easting, words.northing, words.latitude, words.longitude)]
        vertices = outline_vertices(self._dossier.geometry)
        for n, (x, y) in enumerate(vertices[:MAX_VERTICES], start=1):
            at = utm(x, y, zone=int(zone[:-1]))
            rows.append(
                (str(n), f"{at.easting_m:.1f}", f"{at.northing_m:.1f}", f"{y:.6f}", f"{x:.6f}")
            )
        self._table(rows, widths=(8, 23, 23, 23, 23), size_pt=SMALL_PT)
        if len(vertices) > MAX_VERTICES:
            self._line(words.more_vertices.format(n=len(vertices) - MAX_VERTICES))

    def jurisdiction(self) -> None:
        """Write in which features of the official layers the alert lies."""
        words = self._words
        self._heading(words.jurisdiction)
        trail = self._told.get("jurisdiction") or []
        if not trail:
            self._line(words.no_jurisdiction)
            return
        rows = [words.jurisdiction_columns, *map(_layer_row, trail)]
        self._table(rows, widths=(16, 12, 24, 8, 12, 12, 16), size_pt=SMALL_PT)

    def sources(self) -> None:
        """List the scenes, layers and checkpoints that the alert was made from."""
        if not self._dossier.references:
            return
        self._heading(self._words.sources)
        rows = [self._words.source_columns]
        for source in self._dossier.references:
            when = source.detail.get("datetime") or source.detail.get("valid") or ""
            sha256 = (source.sha256 or "")[:SHORT_HASH]
            kind = self._words.kinds.get(source.kind, source.kind)
            rows.append((kind, source.name, str(when), sha256))
        self._table(rows, widths=(10, 50, 24, 16), size_pt=SMALL_PT)

    def paragraph(self, heading: str, text: str) -> None:
        """Write a heading and a paragraph."""
        self._heading(heading)
        self.multi_cell(w=self.epw, h=LINE_MM, text=text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _facts(self) -> dict[str, str]:
        told, dossier, words = self._told, self._dossier, self._words
        doubt = (told.get("area_uncertainty_m2") or 0.0) / 10_000
        start = told.get("interval_start") or words.unknown
        end = told.get("interval_end") or words.unknown
        confidence = told.get("confidence")
        return {
            "event_id": dossier.event_id,
            "version": dossier.version,
            "state": words.states.get(str(told.get("state")), ""),
            "class": words.classes.get(str(told.get("class")), str(told.get("class"))),
            "confidence": "" if confidence is None else f"{confidence:.2f}",
            "priority": words.priorities.get(str(told.get("priority")), words.unknown),
            "rule": str(told.get("rule") or ""),
            "area_m2": f"{(told.get('area_m2') or 0.0) / 10_000:.2f} ± {doubt:.2f} ha",
            "first_detected": str(told.get("first_detected") or words.unknown),
            "confirmed": str(told.get("confirmed") or words.unknown),
            "interval": f"{start} – {end}",
            "sensor": str(told.get("sensor") or ""),
            "model": dossier.model,
            "software": dossier.software,
            "made_at": dossier.made_at.isoformat(timespec="seconds"),
            "verification_url": dossier.verification_url or "",
        }

    def _heading(self, text: str) -> None:
        self.ln(3)
        self._keep_together(WITH_HEADING_MM)
        self.set_font(FONT, "B", HEADING_PT)
        self.set_text_color(*ACCENT)
        self._line(text)
        self.set_text_color(0)
        self.set_font(FONT, size=TEXT_PT)

    def _line(self, text: str) -> None:
        self.multi_cell(
            w=self.epw, text=text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, h=self.font_size * 1.4
        )

    def _table(
        self,
        rows: Sequence[Sequence[str]],
        *,
        widths: tuple[int, ...],
        is_headed: bool = True,
        size_pt: int = TEXT_PT,
    ) -> None:
        self.set_font(FONT, size=size_pt)
        self.set_draw_color(RULE_GREY)
        with self.table(
            col_widths=widths,
            line_height=LINE_MM,
            first_row_as_headings=is_headed,
            headings_style=FontFace(emphasis="BOLD", fill_color=(232, 240, 236)),
            borders_layout="HORIZONTAL_LINES",
            text_align="LEFT",
        ) as table:
            for row in rows:
                table.row(row)
        self.set_font(FONT, size=TEXT_PT)

    def _keep_together(self, height_mm: float) -> None:
        if self.get_y() + height_mm > self.page_break_trigger:
            self.add_page()


def _fitting_height(png: bytes) -> float:
    """Return the height [mm] at which neither side is longer than allowed."""
    width, height = Image.open(io.BytesIO(png)).size
    return MAX_PICTURE_MM * height / max(width, height)


def _layer_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    share = entry.get("share")
    return (
        str(entry.get("layer", "")),
        str(entry.get("code", "")),
        str(entry.get("name", "")),
        "" if share is None else f"{100 * share:.3g} %",
        str(entry.get("status", "")),
        str(entry.get("valid", "")),
        str(entry.get("sha256", ""))[:SHORT_HASH],
    )
