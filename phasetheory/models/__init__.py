"""The solvable zoo: one file per model, each supplying the evidence primitive and nothing more."""
