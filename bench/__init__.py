"""Benchmarks: what the registry costs, next to plain boto3 on the same bytes in the same run."""
