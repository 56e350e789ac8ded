"""Modules that need the extra `course` are collected for doctests only where it is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("marimo") else ["app.py", "server.py"]
