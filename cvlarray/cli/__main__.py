"""``python -m cvlarray.cli``."""

from cvlarray.cli import main

main()
