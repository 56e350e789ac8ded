"""Exact engines: plain arrays in, plain arrays out."""
