from __future__ import annotations

import pytest

from cvlarray.alerts.enrich import LicenceStatus, licence_status


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("T", "licensed"),
        (" n ", "licensed"),
        ("P", "pending"),
        ("D", "pending"),
        ("F", "lapsed"),
        ("X", "lapsed"),
        ("A", "other"),
        ("Q", "unknown"),
        ("D.M. Titulado D.L. 708", "licensed"),
        ("Acumulación D.M. Titulada", "licensed"),
        ("D.M. en Trámite D.L. 109", "pending"),
        ("Acumulación D.M. en Trámite", "pending"),
        ("D.M. EXTINGUIDO", "lapsed"),
        ("D.M. Extinguido de D.M. Titulado", "lapsed"),
        ("Cantera (D.S. 037-96-EM)", "other"),
        ("Planta de Beneficio", "other"),
        ("VIGENTE", "licensed"),
        ("NO VIGENTE", "lapsed"),
        ("SUSPENDIDO", "lapsed"),
        ("T / N", "licensed"),
        ("T / F", "unknown"),
        ("something else", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_words_of_the_registers(raw, expected):
    assert licence_status(raw, {}) == expected


def test_words_of_the_layer_go_first_without_case_or_accents():
    words = {"En Revisión": LicenceStatus.PENDING, "T": LicenceStatus.LAPSED}
    assert licence_status("EN REVISION", words) is LicenceStatus.PENDING
    assert licence_status("t", words) is LicenceStatus.LAPSED
    assert licence_status("D.M. Titulado", words) is LicenceStatus.LICENSED


def test_nothing_unknown_is_ever_taken_for_licensed():
    for text in ("TIT", "Título", "1", "None", "sin datos"):
        assert licence_status(text, {}) is not LicenceStatus.LICENSED
