"""The report: the package's main job, from data to one page."""
