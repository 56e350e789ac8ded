"""The figures of the paper, one script each, named after the claim it shows.

A script is a module of this folder with

- `CLAIM`: the claim in one sentence or two,
- `CAPTION`: what is drawn and how it was computed, with formulas between dollars; see
  `captions.py` for sizes filled in from the tasks, and for symbols,
- `COST`: what computing its rows again costs, for example "40 CPU seconds (measured)",
- `GROUP`: "paper" for a figure of the paper in exact form, "ours" else,
- `tasks(quick)`: the list of tasks (JSON objects), smaller when `quick`,
- `compute(task)`: the row of one task, a JSON object; a pure function of the task,
- `plot(rows)`: the figure, drawn from `[{**task, **row}, ...]` in the order of the tasks,

and perhaps `SYMBOLS`: definitions of symbols that are its own.

`python -m paper_figures` computes what is missing and draws them all.
"""
