"""Entropy, mutual information, conditional mutual information and the locality gap."""

from phasetheory.information.conditional import cmi, mutual_information
from phasetheory.information.gap import enumerate_outputs, locality_gap
from phasetheory.information.labels import cmi_given_label, label_information, label_posterior
from phasetheory.information.sectors import sector_information

__all__ = [
    "cmi",
    "cmi_given_label",
    "enumerate_outputs",
    "label_information",
    "label_posterior",
    "locality_gap",
    "mutual_information",
    "sector_information",
]
