"""Measures the project against benchmarks/targets.toml; run it with `make bench ONLY=<group>`."""
