"""Settings common to all tests: reproducible property tests, no display."""

import os

from hypothesis import settings

# Set before matplotlib is first imported, here and in the subprocesses that tests start.
os.environ["MPLBACKEND"] = "Agg"

# The same examples on every machine and every run: a failure is a fact about the code, not about
# the day. No deadline, because the first call of a jitted kernel includes its compilation.
settings.register_profile("phasetheory", derandomize=True, deadline=None)
settings.load_profile("phasetheory")
