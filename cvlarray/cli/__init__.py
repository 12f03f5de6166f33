"""The command line: ``cvlarray run CONFIG`` and its parts."""

import gc


def main() -> None:
    """Load the program and do what the command says."""
    # Nothing of what imports make is garbage; looking for it takes a quarter of their time, and
    # each later search would look at all of it again.
    gc.disable()
    from cvlarray.cli.app import main as run_command  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    run_command()


__all__ = ["main"]
