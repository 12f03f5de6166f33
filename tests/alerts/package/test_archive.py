"""Folders and ZIP files: whole or absent, the same bytes for the same files, safe to read."""

from __future__ import annotations

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.alerts.package import archive as archive_module
from cvlarray.alerts.package import read_package, write_folder, zip_bytes
from cvlarray.errors import PackageError, StoreError

FILES = {"b.txt": b"two", "a/c.bin": bytes(range(256)), "empty": b""}
names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", categories=["L", "N"]), min_size=1
)


@settings(max_examples=30)
@given(files=st.dictionaries(names, st.binary(max_size=200), min_size=1, max_size=5))
def test_a_zip_file_is_read_as_it_was_written(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "package.zip"
    path.write_bytes(zip_bytes(files))
    assert read_package(path) == files
    assert zip_bytes(dict(reversed(files.items()))) == path.read_bytes()
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None


def test_a_folder_is_read_as_it_was_written(tmp_path):
    write_folder(FILES, tmp_path / "package")
    assert read_package(tmp_path / "package") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["package"]


def test_a_folder_that_exists_stays(tmp_path):
    write_folder(FILES, tmp_path / "package")
    with pytest.raises(StoreError):
        write_folder({"other": b""}, tmp_path / "package")
    assert read_package(tmp_path / "package") == FILES


@pytest.mark.parametrize("content", [b"", b"no zip", zip_bytes(FILES)[:-30], zip_bytes(FILES)[40:]])
def test_what_is_no_zip_file(content, tmp_path):
    path = tmp_path / "package.zip"
    path.write_bytes(content)
    with pytest.raises(PackageError, match="expected a package"):
        read_package(path)


def test_nothing_and_an_empty_folder(tmp_path):
    with pytest.raises(PackageError, match="expected a package"):
        read_package(tmp_path / "absent")
    with pytest.raises(PackageError, match="an empty one"):
        read_package(tmp_path)


def test_links_are_refused(tmp_path):
    write_folder(FILES, tmp_path / "package")
    (tmp_path / "package" / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(PackageError, match="a link or a device"):
        read_package(tmp_path / "package")


def test_what_claims_to_be_huge_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "MAX_BYTES", 1 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros", bytes(3 << 20))
    with pytest.raises(PackageError, match="at most 1 MB, got 3 MB"):
        read_package(path)


def test_a_file_twice_is_refused(tmp_path):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            opened.writestr("a", b"2")
    with pytest.raises(PackageError, match="got one twice"):
        read_package(path)
