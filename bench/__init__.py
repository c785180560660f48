"""Benchmarks: what the registry and a validation cost, next to peers on the same bytes in the same run."""
