"""Resource quantities: exact decimal amounts with SI or binary suffixes, canonical as upstream writes them.

A `Quantity` is a `str` in canonical form, so it costs nothing to keep, encode or compare for identity; its amount is
worked out once per distinct text. Ordering and arithmetic go through the functions below, never through `<` or `+`,
which would act on the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NoReturn

DECIMAL_SI = "DecimalSI"
BINARY_SI = "BinarySI"
DECIMAL_EXPONENT = "DecimalExponent"

_FORMAT_WRONG = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_SUFFIX_WRONG = "unable to parse quantity's suffix"

_shape = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*(?:[-+]?[0-9]*))").fullmatch
_exponent = re.compile(r"[eE]([-+]?[0-9]+)").fullmatch

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_BINARY_SUFFIX = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_LARGEST = 2**63 - 1
_NANO = 10**9


class Quantity(str):
    """An amount in canonical text, such as `250m`, `1500M` or `2Gi`. Build it with `parse` or `of`."""

    __slots__ = ()

    @staticmethod
    def parse(value: str | int | float) -> Quantity:
        """Any accepted spelling -> canonical. Raises ValueError with upstream's text."""
        return _parsed(value if isinstance(value, str) else _number_text(value))

    @staticmethod
    def of(amount: int | Fraction, form: str = DECIMAL_SI) -> Quantity:
        """An exact amount in one of the three forms."""
        return _canonical(Fraction(amount), form)

    def value(self) -> Fraction:
        """The exact amount."""
        return _amount(self)[0]

    @property
    def form(self) -> str:
        """DecimalSI, BinarySI or DecimalExponent."""
        return _amount(self)[1]

    def as_int(self) -> int:
        """Whole units, rounded away from zero as upstream's Value()."""
        return _round_up(_amount(self)[0])

    def milli(self) -> int:
        """Thousandths, rounded away from zero as upstream's MilliValue()."""
        return _round_up(_amount(self)[0] * 1000)

    def is_zero(self) -> bool:
        return not _amount(self)[0]

    def __lt__(self, other: object) -> NoReturn:
        raise TypeError("quantities are ordered by quantity.compare(), not by their text")

    __le__ = __gt__ = __ge__ = __lt__

    def __add__(self, other: object) -> NoReturn:
        raise TypeError("quantities are added by quantity.add(), not as text")


def _number_text(value: int | float) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _round_up(amount: Fraction) -> int:
    if amount < 0:
        return amount.numerator // amount.denominator
    return -(-amount.numerator // amount.denominator)


@functools.lru_cache(maxsize=8192)
def _parsed(text: str) -> Quantity:
    amount, form = _read(text.strip())
    return _canonical(amount, form)


@functools.lru_cache(maxsize=8192)
def _amount(text: str) -> tuple[Fraction, str]:
    return _read(text.strip())


def _read(text: str) -> tuple[Fraction, str]:
    match = _shape(text)
    if match is None or not text:
        raise ValueError(_FORMAT_WRONG)
    sign, whole, decimals, suffix = match.groups()
    # Upstream's scanner takes missing digits for a zero.
    decimals = decimals or ""
    if suffix in _DECIMAL:
        form, factor = DECIMAL_SI, Fraction(10) ** _DECIMAL[suffix]
    elif suffix in _BINARY:
        form, factor = BINARY_SI, Fraction(2 ** _BINARY[suffix])
    elif exponent := _exponent(suffix):
        power = int(exponent[1])
        if not -(2**31) <= power < 2**31:
            raise ValueError(_SUFFIX_WRONG)
        # Beyond these powers every amount is below a nano or above what any resource can hold.
        form, factor = DECIMAL_EXPONENT, Fraction(10) ** max(min(power, 1000), -1000)
    else:
        raise ValueError(_SUFFIX_WRONG)
    amount = Fraction(int((whole + decimals) or "0"), 10 ** len(decimals)) * factor
    if amount:
        nanos = amount * _NANO
        if nanos.denominator != 1:
            amount = Fraction(-(-nanos.numerator // nanos.denominator), _NANO)
        if form == BINARY_SI and amount > _LARGEST:
            amount = Fraction(_LARGEST)
        if form == BINARY_SI and amount < 1:
            form = DECIMAL_SI
    return (-amount if sign == "-" else amount), form


def _canonical(amount: Fraction, form: str) -> Quantity:
    if not amount:
        return Quantity("0")
    if form == BINARY_SI:
        if amount.denominator == 1 and not -1024 < amount < 1024:
            number, step = amount.numerator, 0
            while step < len(_BINARY_SUFFIX) - 1 and number % 1024 == 0:
                number, step = number // 1024, step + 1
            return Quantity(f"{number}{_BINARY_SUFFIX[step]}")
        form = DECIMAL_SI
    nanos = amount * _NANO
    number, power = _round_up(nanos), -9
    highest = 18 if form == DECIMAL_SI else 2**31
    while power < highest and number % 1000 == 0:
        number, power = number // 1000, power + 3
    if form == DECIMAL_SI:
        return Quantity(f"{number}{_DECIMAL_SUFFIX[power]}")
    return Quantity(f"{number}e{power}" if power else str(number))


def _form_of(left: str, right: str) -> str:
    """Upstream's rule: the left side's form, unless the left side is zero."""
    amount, form = _amount(left)
    return form if amount else _amount(right)[1]


def compare(left: str, right: str) -> int:
    """-1, 0 or 1."""
    a, b = _amount(left)[0], _amount(right)[0]
    return (a > b) - (a < b)


def add(left: str, right: str) -> Quantity:
    return _canonical(_amount(left)[0] + _amount(right)[0], _form_of(left, right))


def sub(left: str, right: str) -> Quantity:
    return _canonical(_amount(left)[0] - _amount(right)[0], _form_of(left, right))


def total(quantities: Iterable[str]) -> Quantity:
    """The sum; `0` of none."""
    return functools.reduce(add, quantities, Quantity("0"))


def add_all(left: Mapping[str, Quantity], right: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Resource lists added by name."""
    sums = dict(left)
    for name, quantity in right.items():
        sums[name] = add(sums[name], quantity) if name in sums else quantity
    return sums


def max_all(left: Mapping[str, Quantity], right: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """The larger of each name of two resource lists."""
    largest = dict(left)
    for name, quantity in right.items():
        if name not in largest or compare(quantity, largest[name]) > 0:
            largest[name] = quantity
    return largest
