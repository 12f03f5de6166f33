"""The command line: ``cvlarray run CONFIG`` and its parts."""

from cvlarray.cli.app import main

__all__ = ["main"]
