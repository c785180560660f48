"""Door: how often a task is tried again, the same for every DAG."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from include.retraining.errors import BadInput

# Bad input and defects fail at once; servers that do not answer, and killed tasks, are tried again.
SAME = [BadInput, ArithmeticError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError]
NO_RETRY = RetryRule(exception=SAME, action=RetryAction.FAIL, reason="A retry would find the same.")
RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": ExceptionRetryPolicy(rules=[NO_RETRY]),
}
