"""Speed, as ratios measured in one run: `python -m tests.benchmarks`. Tests assert none of it.

Each module `bench_*` has a function `rows(quick=False, large=False)` that returns one dictionary
per case: column title -> value. All rows of one module have the same columns.
"""
