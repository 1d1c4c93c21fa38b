#!/bin/sh
# The Gini index of scikit-bio is 0 for amounts that are not equal.
#
# Versions: scikit-bio 0.7.4, inequality 1.1.2, numpy 2.4.6 (as of November 2026).
# Run: the Gini coefficient of what four organizations gave, by default settings.
# Expected: the mean absolute difference over twice the mean, (1/(2 n^2 m)) sum |x_i - x_j|, which is 0
#   only when all are equal: 0.25 for 1, 2, 3, 4 and 0.75 for 0, 0, 0, 10, as `inequality` (PySAL) has it.
# Seen: scikit-bio gives 0.0 and 0.5. Its default, method="rectangles", overestimates the area under
#   the Lorenz curve by 1/(2n) and the coefficient is too low by 1/n; what falls below 0 is cut to 0.
#   method="trapezoids" is right.
# Bites: few organizations are the usual case. With n = 12 the coefficient is low by 0.08, and two
#   programmes of different size are not comparable.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  scikit-bio==0.7.4 inequality==1.1.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from inequality.gini import Gini
from skbio.diversity.alpha import gini_index


def by_definition(given):
    return np.abs(np.subtract.outer(given, given)).sum() / (2 * len(given) ** 2 * given.mean())


for given, right, default in (([1, 2, 3, 4], 0.25, 0.0), ([0, 0, 0, 10], 0.75, 0.5)):
    given = np.array(given, float)
    print(given, "scikit-bio:", gini_index(given), "inequality:", float(Gini(given).g))
    assert np.isclose(by_definition(given), right)
    assert np.isclose(Gini(given).g, right)
    assert np.isclose(gini_index(given, method="trapezoids"), right)
    assert np.isclose(gini_index(given), default)
PYTHON
