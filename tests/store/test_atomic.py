from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cvlarray.errors import StoreError
from cvlarray.store.atomic import FileBatch, remove_leftovers, replacing, write_atomic


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_text_as_utf8_and_bytes_as_they_are(tmp_path: Path) -> None:
    write_atomic(tmp_path / "new" / "run.yaml", "región: Ucayali")
    write_atomic(tmp_path / "chip.png", b"\x89PNG")
    assert (tmp_path / "new" / "run.yaml").read_bytes() == "región: Ucayali".encode()
    assert (tmp_path / "chip.png").read_bytes() == b"\x89PNG"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["chip.png", "new", "run.yaml"]


def test_new_files_have_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_atomic(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    path = tmp_path / "alerts.geojson"
    contents = {bytes([i]) * 300_000 for i in range(2)}
    path.write_bytes(min(contents))
    stop = threading.Event()
    seen = set()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for content in sorted(contents, reverse=True):
            write_atomic(path, content)
    stop.set()
    reader.join()
    assert seen <= contents


def test_a_failed_block_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "alerts.parquet"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            assert temporary.suffix == ".parquet"
            temporary.write_text("new, cut sh")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["alerts.parquet"]


def test_an_unwritable_place_is_a_store_error_with_its_cause(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*run\.yaml") as caught:
        write_atomic(tmp_path / "file" / "run.yaml", "")
    assert isinstance(caught.value.__cause__, OSError)


def test_a_batch_replaces_and_removes(tmp_path: Path) -> None:
    for name in ("replaced", "removed", "untouched"):
        (tmp_path / name).write_bytes(b"old")
    with FileBatch() as files:
        files.write(tmp_path / "replaced", [b"ne", b"w"])
        files.write(tmp_path / "folder" / "made", [])
        files.remove(tmp_path / "removed")
        files.remove(tmp_path / "absent" / "file")
        assert (tmp_path / "replaced").read_bytes() == b"old"
        assert (tmp_path / "removed").exists()
    assert _names(tmp_path) == ["folder", "replaced", "untouched"]
    assert (tmp_path / "replaced").read_bytes() == b"new"
    assert _names(tmp_path / "folder") == ["made"]


def test_a_batch_that_is_interrupted_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"old")

    def interrupted() -> None:
        with FileBatch() as files:
            files.write(tmp_path / "0", [b"new"])
            files.write(tmp_path / "1", [b"new"])
            files.remove(tmp_path / "0")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert _names(tmp_path) == ["0"]
    assert (tmp_path / "0").read_bytes() == b"old"


def test_a_batch_names_the_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = pytest.raises(StoreError, match=r"cannot write .*/file/0: .*; what was there before")
    with refused, FileBatch() as files:
        files.write(tmp_path / "1", [b"new"])
        files.write(tmp_path / "file" / "0", [b"new"])
    assert _names(tmp_path) == ["file"]


def test_a_batch_is_on_the_disk_before_the_first_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so are the new names when it ends: the ledger's row comes next."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "old").write_bytes(b"")
    events = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append(f"sync {path.name if path.is_dir() else path.read_text()}")

    def replaced(source: Path, target: Path) -> None:
        replace(source, target)
        events.append(f"replace {target.name}")

    (tmp_path / "a").mkdir()
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    with FileBatch() as files:
        files.write(tmp_path / "a" / "0", [b"zero"])
        files.write(tmp_path / "a" / "1", [b"one"])
        files.remove(tmp_path / "b" / "old")
    assert events[:4] == ["sync zero", "sync one", "replace 0", "replace 1"]
    assert sorted(events[4:]) == ["sync a", "sync b"]


def test_leftovers_of_this_path_are_removed_and_nothing_else(tmp_path: Path) -> None:
    store = tmp_path / "cube [1].zarr"
    shard = store / "red" / "c" / "0"
    shard.mkdir(parents=True)
    (shard / "1").write_text("whole")
    (shard / ".1.0123.partial").write_text("cut")
    (shard / "1.4567.partial").write_text("cut by zarr-python")
    (tmp_path / ".cube [1].89ab.partial.zarr" / "red").mkdir(parents=True)
    (tmp_path / ".other.cdef.partial.zarr").mkdir()
    remove_leftovers(store)
    assert [path.name for path in store.rglob("*") if path.is_file()] == ["1"]
    assert _names(tmp_path) == [".other.cdef.partial.zarr", "cube [1].zarr"]


def test_no_leftovers_to_remove_where_nothing_is(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "absent" / "cube.zarr")
    assert _names(tmp_path) == []
