"""Pure: which columns look like personal data, by their names and by what they hold."""

import re

from include.retraining.looks import NUMBER, TEXT, Look

SHARE = 0.5
"""Of the values that must have a form before a column counts as having it."""
FEW, MANY = 12, 50
"""So few different values are nobody's, whatever their column is called; so many may each be somebody's."""
WORDS = {
    "an e-mail address": {"email", "mail", "emails"},
    "a telephone number": {"phone", "telephone", "tel", "mobile", "fax", "msisdn"},
    "a name": {"firstname", "lastname", "surname", "fullname", "forename", "username", "nickname"},
    "an address": {"address", "street", "zip", "zipcode", "postcode", "postal", "addr"},
    "a network address": {"ip", "ipaddress", "mac"},
    "an official number": {"ssn", "passport", "iban", "license", "licence", "vat", "taxid", "insurance"},
    "a date of birth": {"birth", "dob", "birthday", "birthdate"},
    "a secret": {"password", "secret", "cookie"},
}
"""By what a column holds: words in its name."""
PERSONS = {
    *("first", "last", "full", "sur", "given", "family", "middle", "maiden", "nick", "customer", "client", "user"),
    *("person", "patient", "contact", "passenger", "employee", "guest", "owner", "driver", "doctor", "member"),
    *("holder", "author", "sender", "recipient"),
}
"""Beside the word `name`: names of products and places are nobody's."""
FORMS = {
    "an e-mail address": re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}"),
    "a network address": re.compile(r"(\d{1,3}\.){3}\d{1,3}"),
    "a telephone number": re.compile(r"(\+|00)\d[\d ()/-]{6,18}\d|\(?0\d{2,5}\)?[ /-]\d[\d -]{4,12}|\d{3}-\d{3}-\d{4}"),
    "an official number": re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}|\d{3}-\d{2}-\d{4}"),
}
IDENTIFIERS = {
    "id",
    "ids",
    "uuid",
    "guid",
    "key",
    "account",
    "user",
    "customer",
    "client",
    "device",
    "hash",
    "login",
    "token",
    "session",
}


def about(column: Look) -> str | None:
    """Return which personal data a column seems to hold, such as ``an e-mail address``; None if none."""
    if column.distinct <= FEW:
        return None
    # A number is what its name ends with: `phone` is one, `phone_calls` counts.
    telling = set(column.words[-1:] if column.kind == NUMBER else column.words)
    named = next((what for what, words in WORDS.items() if words & telling), None)
    if named:
        return named
    words = set(column.words)
    if column.kind == TEXT and "name" in words and (words == {"name"} or words & PERSONS):
        return "a name"
    return _by_form(column)


def is_identifier(column: Look) -> bool:
    """Return whether a column names single things: by its name, or as a code that nearly every row has of its own."""
    if column.kind not in {TEXT, NUMBER} or column.distinct <= MANY or (column.kind == NUMBER and not column.is_whole):
        return False
    is_code = column.kind == TEXT and not bool(column.values.dropna().str.contains(r"\s", regex=True).any())
    return bool(IDENTIFIERS & set(column.words[-1:])) or (is_code and column.is_unique)


def _by_form(column: Look) -> str | None:
    if column.kind != TEXT:
        return None
    values = column.values.dropna().str.strip()
    for what, form in FORMS.items():
        if float(values.str.fullmatch(form).mean()) >= SHARE:
            return what
    return None
