"""The rules of the test suite itself: what skips, and what a skip means under CI."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import dask.array
import pytest

SKIPPING = """
import pytest

def test_component(require_component):
    require_component("Chromium", None, "apt-get install chromium")

def test_data(external_data):
    assert external_data.is_dir()

@pytest.mark.gpu
def test_device():
    pytest.skip("no device")

@pytest.fixture
def rights(request):
    request.applymarker(pytest.mark.privileged)
    pytest.skip("no rights")

def test_rights(rights):
    raise AssertionError

@pytest.mark.xfail(reason="known")
def test_known():
    raise AssertionError
"""
SKIPPED_MODULE = "import pytest; pytest.importorskip('a_module_nobody_has')"

Guard = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a project that has this conftest and tests that lack their component."""
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n  external_data: x\n  gpu: x\n  privileged: x")
    pytester.makepyfile(test_skipping=SKIPPING)
    monkeypatch.delenv("CVLARRAY_TEST_DATA", raising=False)
    return pytester


def test_skips_with_reason_on_a_users_machine(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    result = suite.runpytest_subprocess("-ra")
    result.assert_outcomes(skipped=4, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "*Chromium is absent; install it with: apt-get install chromium",
            "*CVLARRAY_TEST_DATA is not set*",
        ]
    )


def test_skip_is_a_failure_under_ci(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = suite.runpytest_subprocess()
    result.assert_outcomes(skipped=2, xfailed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*must not skip under CI=true*Chromium is absent*"])


def test_skipped_module_is_an_error_under_ci(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.makepyfile(test_module=SKIPPED_MODULE)
    monkeypatch.setenv("CI", "true")
    result = suite.runpytest_subprocess("test_module.py")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*must not skip under CI=true*a_module_nobody_has*"])


def test_external_data_is_selected_by_its_marker(
    suite: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVLARRAY_TEST_DATA", str(tmp_path))
    suite.runpytest_subprocess("-m", "external_data").assert_outcomes(passed=1, deselected=4)


def test_guard_counts_computes(raise_if_dask_computes: Guard) -> None:
    lazy = dask.array.ones(3)
    with raise_if_dask_computes(max_computes=1):
        assert lazy.sum().compute() == 3
    with pytest.raises(AssertionError, match="computed 1 times"), raise_if_dask_computes():
        lazy.compute()
