"""The exception family.

RetrainingError
├── BadInput                 found wrong as it is; trying again changes nothing
│   ├── SpecError            a model's spec, query or suite file
│   ├── ConnectionInvalid    an Airflow Connection that is malformed
│   │   └── ConnectionMissing    … or is not there
│   ├── CredentialsError     a server refused who we are
│   ├── DataError            rows or labels that cannot be used
│   ├── ValidationBlocked    a critical expectation failed
│   ├── IntegrityError       a stored object that is not what was written
│   │   └── ObjectMissing    … or is not there
│   ├── PromotionConflict    the champion moved while this run compared
│   └── StoreUnsafe          a store that breaks what every store promises, or does not encrypt as asked
└── Unavailable              a network door that may answer next time: tasks retry it

Every message says what was found, what was expected and what to do.
"""


class RetrainingError(Exception):
    """Base of everything this product raises on purpose."""


class BadInput(RetrainingError):
    """What was given is wrong; a retry would find the same."""


class SpecError(BadInput):
    """A model's spec, query or suite file cannot be used."""


class ConnectionInvalid(BadInput):
    """An Airflow Connection is missing or malformed."""


class ConnectionMissing(ConnectionInvalid):
    """There is no such Airflow Connection."""


class CredentialsError(BadInput):
    """A server refused the credentials of a Connection."""


class DataError(BadInput):
    """Rows or labels that cannot be used."""


class ValidationBlocked(BadInput):
    """A critical expectation failed, so the run stops before anything else happens."""


class IntegrityError(BadInput):
    """A stored object is missing, altered, truncated or unsigned; ``check`` names the check that refused it."""

    def __init__(self, message: str, check: str = "content") -> None:
        super().__init__(message)
        self.check = check

    def __str__(self) -> str:
        """Return the message and the check's name."""
        return f"{super().__str__()} (failed check: {self.check})"


class PromotionConflict(BadInput):
    """The champion moved while this run compared; its comparison no longer holds."""


class StoreUnsafe(BadInput):
    """The store breaks what every store promises (put-if-absent, newest bytes …), or does not encrypt as asked."""


class ObjectMissing(IntegrityError):
    """No object lies under the key."""


class Unavailable(RetrainingError):
    """A server could not be reached or did not answer; the task is tried again."""
