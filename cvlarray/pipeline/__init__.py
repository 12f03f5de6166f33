"""A run: stages in order, work units, ledger, plan and status."""
