"""Pure: the private view of a frame. Runs between the query and the first write, so nothing else is ever stored."""

import hashlib
import hmac

import pandas as pd

from include.retraining.policies import DROP
from include.retraining.spec import ModelSpec

PSEUDONYM_LENGTH = 16


def private_view(frame: pd.DataFrame, spec: ModelSpec, secret: str) -> pd.DataFrame:
    """Return the frame without dropped columns and with pseudonyms in the place of values.

    Parameters
    ----------
    frame : pd.DataFrame
        Rows as the warehouse gave them.
    spec : ModelSpec
        Says per column keep, drop or pseudonymise.
    secret : str
        Key of the pseudonyms; without it nobody can try values until one matches.
    """
    hidden = [column for column in frame.columns if spec.privacy.get(column) == DROP]
    view = frame.drop(columns=hidden)
    for column in view.columns.intersection(list(spec.pseudonymised)):
        names = {value: pseudonym(value, secret) for value in view[column].dropna().unique()}
        view[column] = view[column].map(names).astype("str").where(view[column].notna(), None)
    return view


def needs_secret(spec: ModelSpec) -> bool:
    """Return whether any column is pseudonymised."""
    return bool(spec.pseudonymised)


def pseudonym(value: object, secret: str) -> str:
    """Return a keyed pseudonym (HMAC-SHA256, RFC 2104) of one value, 16 hex digits."""
    return hmac.new(secret.encode(), str(value).encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]
