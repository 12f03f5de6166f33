"""The words of the report, in Spanish and in English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LANGUAGES", "Words"]


@dataclass(frozen=True)
class Words:
    """One language."""

    code: str
    title: str
    facts: Mapping[str, str]
    """Labels of the table of facts, by property."""
    classes: Mapping[str, str]
    priorities: Mapping[str, str]
    states: Mapping[str, str]
    where: str
    outline: str
    vertex: str
    latitude: str
    longitude: str
    easting: str
    northing: str
    pictures: str
    captions: Mapping[str, str]
    """By picture."""
    renderings: Mapping[str, str]
    kinds: Mapping[str, str]
    """By kind of reference."""
    jurisdiction: str
    jurisdiction_columns: tuple[str, ...]
    no_jurisdiction: str
    method: str
    method_text: str
    limits: str
    limits_text: str
    sources: str
    source_columns: tuple[str, ...]
    check: str
    check_text: str
    more_vertices: str
    unknown: str
    page: str


SPANISH = Words(
    code="es",
    title="Informe de alerta de cambio del bosque",
    facts={
        "event_id": "Alerta",
        "version": "Versión",
        "state": "Situación",
        "class": "Clase",
        "confidence": "Confianza",
        "priority": "Prioridad",
        "rule": "Regla que decide",
        "area_m2": "Área",
        "first_detected": "Primera observación del cambio",
        "confirmed": "Confirmado",
        "interval": "El cambio ocurrió entre",
        "sensor": "Sensor",
        "model": "Modelo",
        "software": "Programa",
        "made_at": "Alerta elaborada",
        "verification_url": "Página de verificación",
    },
    classes={
        "forest_disturbance": "perturbación del bosque",
        "recent_clearing": "desbosque reciente",
        "mine_pit": "poza minera",
        "tailings_pond": "relaves o poza de sedimentación",
        "tailings": "relaves o poza de sedimentación",
        "secondary_growth": "bosque secundario",
        "intact_forest": "bosque intacto",
        "road": "camino",
    },
    priorities={
        "high": "alta",
        "medium": "media",
        "low": "baja",
        "monitoring": "seguimiento",
        "unassigned": "sin asignar",
    },
    states={
        "pending": "pendiente",
        "confirmed": "confirmada",
        "withdrawn": "RETIRADA por observaciones posteriores",
        "merged": "unida a otra alerta",
    },
    where="Ubicación",
    outline="Vértices del contorno",
    vertex="N.º",
    latitude="Latitud",
    longitude="Longitud",
    easting="Este (m)",
    northing="Norte (m)",
    pictures="Antes y después",
    captions={
        "before": "Antes",
        "after": "Después",
        "index_before": "Índice, antes",
        "index_after": "Índice, después",
    },
    renderings={
        "true colour": "color natural",
        "false colour (near infrared, red, green)": "falso color (infrarrojo cercano, rojo, verde)",
        "false colour (near infrared, red, red)": "falso color (infrarrojo cercano, rojo, rojo)",
    },
    kinds={"scene": "escena", "layer": "capa", "checkpoint": "modelo"},
    jurisdiction="Capas oficiales",
    jurisdiction_columns=("Capa", "Código", "Nombre", "Parte", "Estado", "Edición", "SHA-256"),
    no_jurisdiction="La alerta no se ha contrastado con ninguna capa oficial.",
    method="Método",
    method_text=(
        "Cada píxel se compara con su propia estacionalidad, aprendida de los años anteriores. "
        "Cuando varias observaciones despejadas seguidas salen del rango esperado, el píxel se "
        "marca; los píxeles marcados contiguos forman el polígono. La fecha de primera "
        "observación es la primera imagen en la que el cambio se ve; el cambio ocurrió entre la "
        "última imagen sin cambio y esa fecha. El área se mide sobre el elipsoide WGS 84; su "
        "incertidumbre es la de los píxeles mixtos del borde."
    ),
    limits="Alcance",
    limits_text=(
        "Este informe describe lo que se observó desde satélite. No determina si la actividad es "
        "legal ni quién la realizó. El área de polígonos pequeños debe tomarse como orden de "
        "magnitud. Los límites oficiales tienen su propia incertidumbre."
    ),
    sources="Fuentes",
    source_columns=("Tipo", "Nombre", "Fecha o edición", "SHA-256"),
    check="Comprobación",
    check_text=(
        "El manifiesto (manifest.json) lleva el SHA-256 de cada archivo de este paquete y está "
        "firmado con Ed25519. README.txt explica cómo comprobarlo sin conexión."
    ),
    more_vertices="y {n} vértices más, en alert.geojson",
    unknown="desconocido",
    page="página",
)

ENGLISH = Words(
    code="en",
    title="Forest change alert: report",
    facts={
        "event_id": "Alert",
        "version": "Version",
        "state": "State",
        "class": "Class",
        "confidence": "Confidence",
        "priority": "Priority",
        "rule": "Deciding rule",
        "area_m2": "Area",
        "first_detected": "Change first observed",
        "confirmed": "Confirmed",
        "interval": "The change happened between",
        "sensor": "Sensor",
        "model": "Model",
        "software": "Software",
        "made_at": "Alert made",
        "verification_url": "Verification page",
    },
    classes={
        "forest_disturbance": "forest disturbance",
        "recent_clearing": "recent clearing",
        "mine_pit": "mine pit",
        "tailings_pond": "tailings or pond",
        "tailings": "tailings or pond",
        "secondary_growth": "secondary growth",
        "intact_forest": "intact forest",
        "road": "road",
    },
    priorities={
        "high": "high",
        "medium": "medium",
        "low": "low",
        "monitoring": "monitoring",
        "unassigned": "unassigned",
    },
    states={
        "pending": "pending",
        "confirmed": "confirmed",
        "withdrawn": "WITHDRAWN after later observations",
        "merged": "merged into another alert",
    },
    where="Location",
    outline="Vertices of the outline",
    vertex="No.",
    latitude="Latitude",
    longitude="Longitude",
    easting="Easting (m)",
    northing="Northing (m)",
    pictures="Before and after",
    captions={
        "before": "Before",
        "after": "After",
        "index_before": "Index, before",
        "index_after": "Index, after",
    },
    renderings={},
    kinds={},
    jurisdiction="Official layers",
    jurisdiction_columns=("Layer", "Code", "Name", "Share", "Status", "Edition", "SHA-256"),
    no_jurisdiction="The alert hasn't been held against any official layer.",
    method="Method",
    method_text=(
        "Each pixel is compared with its own season, learned from the years before. When several "
        "clear observations in a row leave the expected range, the pixel is flagged; flagged "
        "pixels that touch make the polygon. The date of first observation is that of the first "
        "image in which the change shows; the change happened between the last image without it "
        "and that date. Areas are measured on the WGS 84 ellipsoid; their uncertainty is that of "
        "the mixed pixels along the border."
    ),
    limits="What this report does not say",
    limits_text=(
        "This report describes what was observed from satellite. It does not decide whether the "
        "activity is legal, nor who did it. Areas of small polygons are orders of magnitude. "
        "Official boundaries have an uncertainty of their own."
    ),
    sources="Sources",
    source_columns=("Kind", "Name", "Date or edition", "SHA-256"),
    check="How to check it",
    check_text=(
        "The manifest (manifest.json) has the SHA-256 of every file of this package and is signed "
        "with Ed25519. README.txt tells how to check it offline."
    ),
    more_vertices="and {n} more vertices, in alert.geojson",
    unknown="unknown",
    page="page",
)

LANGUAGES: Mapping[str, Words] = {"es": SPANISH, "en": ENGLISH}
