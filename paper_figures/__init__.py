"""The figures of the paper, one script each, named after the claim it shows.

A script is a module of this folder with

- `CLAIM`: the claim in one sentence,
- `tasks(quick)`: the list of tasks (JSON objects), smaller when `quick`,
- `compute(task)`: the row of one task, a JSON object; a pure function of the task,
- `plot(rows)`: the figure, drawn from `[{**task, **row}, ...]` in the order of the tasks.

`python -m paper_figures` computes what is missing and draws them all.
"""
