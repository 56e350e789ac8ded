r"""What one time of a path says: is the Markov length bounded there?"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from phasetheory.transitions.length import ROUNDING, markov_length
from phasetheory.transitions.linear import MIN_SIGNIFICANCE

__all__ = ["BOUNDED", "UNBOUNDED", "UNDECIDED", "Evidence", "evidence", "mark_growth"]

#: Standard errors within which a value counts as its bound.
N_STDERR = 2.0
#: xi ~ L^x between the two largest sizes: more than this, beyond errors, is growth.
MAX_GROWTH = 0.25

#: In place of the form of the decay where there are too few radii to tell.
FEW = "from two radii"

BOUNDED, UNBOUNDED, UNDECIDED = "bounded", "not bounded", "undecided"


@dataclass
class Evidence:
    """One time of one size.

    Attributes:
        xi: Markov length in units of radius; infinite where there is none, NaN where not known.
        stderr: Its standard error.
        status: "bounded", "not bounded" or "undecided".
        reason: Why, empty where bounded.
        decay: Form of the decay.
    """

    xi: float
    stderr: float
    status: str
    reason: str
    decay: str = ""

    @property
    def upper(self) -> float:
        """Upper end of the length."""
        return self.xi + N_STDERR * self.stderr

    @property
    def fitted(self) -> bool:
        """Whether xi is a fitted length, which can be compared between sizes."""
        return self.decay != FEW and 0.0 < self.xi < np.inf


def evidence(scan: xr.Dataset, bound: float, *, given: bool) -> Evidence:
    """Status of one time from its own profile; the rules are those of :func:`same_phase`.

    Args:
        scan: One time, dims (t, radius).
        bound: Longest length that counts as bounded.
        given: Whether the bound was asked for; a longer length is then not bounded, else undecided.
    """
    value = scan["cmi"].values[0]
    if not np.isfinite(value).all():
        return Evidence(np.nan, np.nan, UNDECIDED, "not scanned at every radius")
    # A sampled zero has no error bar either: nothing was seen.
    exact = np.isinf(scan.get("cmi_n_effective", xr.full_like(scan["cmi"], np.inf)).values).all()
    if exact and (np.abs(value) <= ROUNDING).all():
        return Evidence(0.0, 0.0, BOUNDED, "")
    fit = markov_length(scan).isel(t=0)
    decay, verdict = str(fit["decay"].item()), str(fit["verdict"].item())
    rate, rate_error = float(fit["mixed_rate"]), float(fit["mixed_rate_stderr"])
    if verdict == "too few points" or (verdict == "ok" and not decay):
        return _from_ends(scan, bound)
    if verdict == "ok" and decay == "exponential":
        row = Evidence(float(fit["xi"]), float(fit["xi_stderr"]), UNDECIDED, "", decay)
    elif rate > MIN_SIGNIFICANCE * rate_error:
        row = Evidence(1.0 / rate, rate_error / rate**2, UNDECIDED, "", f"{decay}, with a cut-off")
    elif verdict == "no significant decay":
        if not exact:
            return Evidence(
                np.nan, np.nan, UNDECIDED, "no significant decay: more samples or radii"
            )
        return Evidence(np.inf, 0.0, UNBOUNDED, "the CMI does not decay")
    elif decay == "power law":
        eta = float(fit["exponent"])
        return Evidence(np.inf, 0.0, UNBOUNDED, f"power law r^-{eta:.3g}", decay)
    else:
        reason = f"exponential or power law: {decay}; more radii or samples"
        return Evidence(float(fit["xi"]), float(fit["xi_stderr"]), UNDECIDED, reason, decay)
    if row.upper <= bound:
        row.status = BOUNDED
    elif row.xi - N_STDERR * row.stderr > bound:
        row.status = UNBOUNDED if given else UNDECIDED
        row.reason = f"xi = {row.xi:.3g} exceeds {bound:.3g}"
        row.reason += "" if given else ", half the range of radii: scan larger ones"
    else:
        row.reason = f"xi = {row.xi:.3g} +- {row.stderr:.2g} is too near the bound {bound:.3g}"
    return row


def _from_ends(scan: xr.Dataset, bound: float) -> Evidence:
    """From the first clearly positive value to the least upper end of a later one."""
    r, value = scan["radius"].values.astype(float), scan["cmi"].values[0]
    upper = np.maximum(value + N_STDERR * scan["cmi_stderr"].values[0], ROUNDING)
    clear = np.flatnonzero(value > np.maximum(2 * scan["cmi_stderr"].values[0], ROUNDING))
    reason = "too few radii with a CMI that is clearly positive"
    if not clear.size:
        return Evidence(np.nan, np.nan, UNDECIDED, reason + ": more samples")
    first = int(clear[0])
    with np.errstate(divide="ignore"):
        lengths = (r[first + 1 :] - r[first]) / np.log(value[first] / upper[first + 1 :])
    lengths = lengths[lengths > 0]
    length = float(lengths.min()) if lengths.size else np.inf
    if length <= bound:
        return Evidence(length, 0.0, BOUNDED, "", FEW)
    return Evidence(length, 0.0, UNDECIDED, reason + ": more radii or samples", FEW)


def mark_growth(rows: dict[float, list[Evidence]]) -> None:
    """Change the status of the largest size where xi grows between the two largest ones.

    Args:
        rows: Size, increasing -> evidence at every time.
    """
    if len(rows) < 2:
        return
    (small, before), (large, after) = list(rows.items())[-2:]
    for one, other in zip(before, after, strict=True):
        if not (one.fitted and other.fitted):
            continue
        scale = np.log(large / small)
        x = np.log(other.xi / one.xi) / scale
        error = np.hypot(one.stderr / one.xi, other.stderr / other.xi) / scale
        if x - N_STDERR * error > MAX_GROWTH:
            other.status = UNBOUNDED
            other.reason = (
                f"xi grows with the size as L^{x:.2g}, from {one.xi:.3g} at {small:g} to"
                f" {other.xi:.3g} at {large:g}"
            )
        elif x + N_STDERR * error > 1.0 and other.status == BOUNDED:
            other.status = UNDECIDED
            other.reason = f"xi may grow with the size, as L^({x:.2g} +- {error:.2g})"
