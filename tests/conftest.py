"""What every test may use; a module's own fixtures live beside its tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dask
import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

IN_CI = os.environ.get("CI") == "true"
DATA_VARIABLE = "CVLARRAY_TEST_DATA"
CHROMIUM = shutil.which("chromium")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WITH_WHOLE_RUNS = {"pipeline", "cli"}
MAY_SKIP_IN_CI = ("gpu", "privileged")
"""The markers whose tests may skip under CI: no package brings a device, or rights."""

# Both are inherited by the subprocesses that tests start.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH", "0")

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if IN_CI else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that reads the external folder, so that `-m "not external_data"` works.

    And keep the tests of a file together where several processes share the work, as its servers
    and runs are made once a process; those that look at the demo's run too, whatever file. Whole
    runs come first, so that no process is left with one when the others have ended.
    """
    items.sort(key=lambda item: item.path.parent.name not in WITH_WHOLE_RUNS)
    for item in items:
        used = getattr(item, "fixturenames", ())
        if "external_data" in used:
            item.add_marker("external_data")
        group = "demo" if "demo_workspace" in used else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Under CI turn the skip of a test into its failure: there every component is installed."""
    report = yield
    expected = hasattr(report, "wasxfail") or any(map(item.get_closest_marker, MAY_SKIP_IN_CI))
    return report if expected else _failed_if_skipped_in_ci(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """The same for a whole module, as `pytest.importorskip` skips it."""
    report = yield
    return _failed_if_skipped_in_ci(report)


def _failed_if_skipped_in_ci(report: Any) -> Any:
    if IN_CI and report.outcome == "skipped":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"a test must not skip under CI=true. {reason}"
    return report


@pytest.fixture(scope="session")
def external_data() -> Path:
    """Return the folder of reference data, which is not part of the repository."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{DATA_VARIABLE} is not set; it names the folder of reference data")
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.fail(f"{DATA_VARIABLE} must name a folder, got {folder}")
    return path


@pytest.fixture(scope="session")
def require_component() -> Callable[[str, object, str], None]:
    """Return a function that skips where a real component is absent.

    Call it as ``require_component("Chromium", shutil.which("chromium"), "apt-get install ...")``.
    """

    def require(name: str, present: object, install_command: str) -> None:
        if not present:
            pytest.skip(f"{name} is absent; install it with: {install_command}")

    return require


@pytest.fixture(scope="session")
def browser(require_component: Callable[[str, object, str], None]) -> Iterator[Browser]:
    """Return a real headless browser."""
    require_component("Chromium", CHROMIUM, "apt-get install -y chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def raise_if_dask_computes() -> Callable[..., AbstractContextManager[None]]:
    """Return a context manager in which Dask may compute at most `max_computes` times."""

    @contextmanager
    def guard(max_computes: int = 0) -> Iterator[None]:
        computes = 0

        def get(dsk: Any, keys: Any, **kwargs: Any) -> Any:
            nonlocal computes
            computes += 1
            assert computes <= max_computes, (
                f"Dask computed {computes} times where at most {max_computes} were allowed"
            )
            return dask.get(dsk, keys, **kwargs)

        with dask.config.set(scheduler=get):
            yield

    return guard


@pytest.fixture(scope="session", autouse=True)
def dask_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give every machine the same two threads, and keep spilled data out of the working tree."""
    folder = tmp_path_factory.mktemp("dask")
    with dask.config.set({"num_workers": 2, "temporary-directory": str(folder)}):
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Flush nothing in this process: it takes half of a small run's time, and none cuts the power.

    `tests/store/test_atomic.py` holds what is flushed and when; the processes that tests start and
    kill do flush.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
