"""What a threshold is chosen for."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from facematch.metrics.identification import fmr_for_fpir


class Criterion(StrEnum):
    """What the threshold is chosen for."""

    FMR = "fmr"
    FNMR = "fnmr"
    EER = "eer"
    ACCURACY = "max-accuracy"
    FPIR = "fpir"
    COST = "cost"


_NUMBER = r"[0-9.e+-]{1,32}"
_RATE = re.compile(rf"(fmr|fnmr)<=({_NUMBER})", re.ASCII)
_FPIR = re.compile(rf"fpir<=({_NUMBER})@([0-9]{{1,18}})", re.ASCII)
_COST = re.compile(rf"(?:cost=)?({_NUMBER}):({_NUMBER}):({_NUMBER})", re.ASCII)
_PLAIN = ("eer", "max-accuracy")


@dataclass(frozen=True, slots=True)
class DecisionCost:
    """What wrong decisions cost, and how often the same subject is to be expected.

    The expected cost of a decision is ``false_accept (1 - prior) FMR + false_reject prior
    FNMR`` (the detection cost function of the NIST evaluations). ``str`` gives ``10:1:0.01``.

    Attributes:
        false_accept: of taking two subjects for one; at least 0.
        false_reject: of taking one subject for two; at least 0, and not both 0.
        prior: share of comparisons that are of one subject, in (0, 1).

    Raises:
        ValueError: a number is out of range.

    >>> DecisionCost.parse("10:1:0.01")
    DecisionCost(false_accept=10.0, false_reject=1.0, prior=0.01)
    """

    false_accept: float
    false_reject: float
    prior: float

    def __post_init__(self) -> None:
        costs = (self.false_accept, self.false_reject)
        if not all(math.isfinite(c) and c >= 0 for c in costs) or sum(costs) == 0:
            raise ValueError(f"costs must be numbers of at least 0, and not both 0, got {costs}")
        if not 0 < self.prior < 1:
            raise ValueError(f"the prior of a cost must lie between 0 and 1, got {self.prior}")

    def __str__(self) -> str:
        numbers = (self.false_accept, self.false_reject, self.prior)
        return ":".join(repr(float(number)).removesuffix(".0") for number in numbers)

    @classmethod
    def parse(cls, text: str) -> DecisionCost:
        """The costs that ``str`` wrote: false accept, false reject, prior.

        Raises:
            ValueError: the text is no three numbers with colons between them.
        """
        found = _COST.fullmatch(text)
        if found is None:
            raise ValueError(f"expected FALSE_ACCEPT:FALSE_REJECT:PRIOR, 10:1:0.01, got {text!r}")
        return cls(*(float(number) for number in found.groups()))


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """A criterion with what it needs.

    ``str`` gives ``fmr<=0.001``, ``fnmr<=0.01``, ``eer``, ``max-accuracy``,
    ``fpir<=0.01@1000`` or ``cost=10:1:0.01``.

    Attributes:
        criterion: what is aimed at.
        target: in (0, 1) for FMR, FNMR and FPIR: the rate is not to exceed it; else None.
        gallery_size: for FPIR, how many references are searched, at least 1; else None.
        cost: for cost; else None.

    Raises:
        ValueError: what the criterion needs is missing, out of range, or given where it has
            no place.

    >>> str(ThresholdRule(Criterion.FMR, 0.001))
    'fmr<=0.001'
    >>> ThresholdRule.parse("eer").criterion
    <Criterion.EER: 'eer'>
    >>> round(ThresholdRule(Criterion.FPIR, 0.01, gallery_size=1000).target_fmr, 9)
    1.005e-05
    """

    criterion: Criterion
    target: float | None = None
    gallery_size: int | None = None
    cost: DecisionCost | None = None

    def __post_init__(self) -> None:
        if self.criterion in (Criterion.FMR, Criterion.FNMR, Criterion.FPIR):
            if self.target is None or not 0 < self.target < 1:
                raise ValueError(
                    f"the target {self.criterion.upper()} must lie between 0 and 1, "
                    f"got {self.target}"
                )
        elif self.target is not None:
            raise ValueError(f"the rule {self.criterion} takes no target, got {self.target}")
        if (self.gallery_size is not None) != (self.criterion is Criterion.FPIR):
            raise ValueError(f"the rule {self.criterion}: a gallery size goes with an FPIR only")
        if self.gallery_size is not None and self.gallery_size < 1:
            raise ValueError(f"a gallery holds at least 1 reference, got {self.gallery_size}")
        if (self.cost is not None) != (self.criterion is Criterion.COST):
            raise ValueError(f"the rule {self.criterion}: costs go with the rule cost only")

    @property
    def target_fmr(self) -> float | None:
        """The FMR that is not to be exceeded, if there is one."""
        if self.criterion is Criterion.FMR:
            return self.target
        if self.target is not None and self.gallery_size is not None:
            return fmr_for_fpir(self.target, self.gallery_size)
        return None

    def at_share(self, share: float | None) -> ThresholdRule:
        """The rule for comparisons of which another share is genuine than of those at hand.

        Accuracy alone depends on it: each class is then weighted as that share asks for. The
        other rules are of rates, or bring a share of their own, and stay as they are.

        Args:
            share: in (0, 1); None for that of the comparisons at hand.

        >>> str(ThresholdRule(Criterion.ACCURACY).at_share(0.25))
        'cost=1:1:0.25'
        """
        if share is None or self.criterion is not Criterion.ACCURACY:
            return self
        return ThresholdRule(Criterion.COST, cost=DecisionCost(1, 1, share))

    def __str__(self) -> str:
        if self.cost is not None:
            return f"cost={self.cost}"
        if self.target is None:
            return self.criterion.value
        at = "" if self.gallery_size is None else f"@{self.gallery_size}"
        return f"{self.criterion.value}<={float(self.target)!r}{at}"

    @classmethod
    def parse(cls, text: str) -> ThresholdRule:
        """The rule that ``str`` wrote.

        Raises:
            ValueError: the text is none of the forms above.
        """
        if text in _PLAIN:
            return cls(Criterion(text))
        if found := _RATE.fullmatch(text):
            return cls(Criterion(found[1]), float(found[2]))
        if found := _FPIR.fullmatch(text):
            return cls(Criterion.FPIR, float(found[1]), gallery_size=int(found[2]))
        if text.startswith("cost="):
            return cls(Criterion.COST, cost=DecisionCost.parse(text))
        raise ValueError(
            "expected fmr<=TARGET, fnmr<=TARGET, eer, max-accuracy, fpir<=TARGET@SIZE or "
            f"cost=FA:FR:PRIOR, got {text!r}"
        )
