#!/bin/sh
# The median of a Kaplan-Meier curve that passes through exactly one half depends on rounding.
#
# Versions: lifelines 0.30.3, statsmodels 0.15.0, numpy 2.4.6, pandas 2.3.3 (as of November 2026).
# Run: n waiting times 1, 2, ..., n for every even n from 2 to 60, all of them observed. After the
#   time n/2 exactly one half is left, so S(n/2) = 1/2.
# Expected: one convention for all n. lifelines documents the first time at which S(t) reaches one
#   half (`qth_survival_times`), which is n/2. statsmodels says that it follows SAS with a strict
#   inequality, S(t) < 1/2, which gives n/2 + 1.
# Seen: both libraries give n/2 for some n and n/2 + 1 for others, without a warning. They multiply
#   the factors as floats, exp(cumsum(log)), and compare with 0.5. 1 - S is off in the 16th digit,
#   and the median is off by one whole waiting time.
# Bites: anyone who compares how long groups take to reciprocate by the median. Two groups with the same
#   shape differ because one has 10 waits and the other 14. Use fractions, or a tolerance.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  lifelines==0.30.3 statsmodels==0.15.0 numpy==2.4.6 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import warnings
from fractions import Fraction
from math import prod

import numpy as np
from lifelines import KaplanMeierFitter
from statsmodels.duration.survfunc import SurvfuncRight

warnings.simplefilter("ignore")
late = {"lifelines": set(), "statsmodels": set()}
for n in range(2, 61, 2):
    half = n // 2
    assert prod(1 - Fraction(1, n - number) for number in range(half)) == Fraction(1, 2)
    times, seen = np.arange(1, n + 1), np.ones(n, int)
    late["lifelines"].add(KaplanMeierFitter().fit(times, seen).median_survival_time_ - half)
    late["statsmodels"].add(SurvfuncRight(times, seen).quantile(0.5) - half)
print("median minus n/2:", {name: sorted(map(int, found)) for name, found in late.items()})
assert late == {"lifelines": {0, 1}, "statsmodels": {0, 1}}, "the libraries behave otherwise now"
PYTHON
