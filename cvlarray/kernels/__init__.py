"""Numerical kernels: NumPy and Numba on plain arrays, nothing else."""
