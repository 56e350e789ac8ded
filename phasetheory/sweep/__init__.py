"""Scans: profiles in memory, and sweeps over grids that are kept in ledgers."""

from phasetheory.sweep.entry import merge_ledgers, read_ledger, scan
from phasetheory.sweep.geometries import GEOMETRIES
from phasetheory.sweep.grid import Grid
from phasetheory.sweep.models import MODELS
from phasetheory.sweep.noises import NOISES
from phasetheory.sweep.quantities import QUANTITIES, Quantity
from phasetheory.sweep.stop import Stop

__all__ = [
    "GEOMETRIES",
    "MODELS",
    "NOISES",
    "QUANTITIES",
    "Grid",
    "Quantity",
    "Stop",
    "merge_ledgers",
    "read_ledger",
    "scan",
]
