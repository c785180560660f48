"""How hypothesis looks for counterexamples here: the same ones on every machine, in a few seconds."""

from hypothesis import settings

settings.register_profile("house", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("house")
