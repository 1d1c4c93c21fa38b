"""A product of sparse matrices at the places that are wanted."""

from typing import Final

from scipy.sparse import csr_array, vstack

_BLOCK_ROWS: Final = 1_024
"""Rows of the product at a time, which bounds its memory."""


def multiply_where(left: csr_array, right: csr_array, mask: csr_array) -> csr_array:
    """The product times a mask, element by element.

    It is computed in blocks, because the ties of one hub with n others make n^2 products.
    """
    starts = range(0, max(1, left.shape[0]), _BLOCK_ROWS)
    blocks = [slice(start, start + _BLOCK_ROWS) for start in starts]
    return vstack([(left[rows] @ right).multiply(mask[rows]) for rows in blocks], format="csr")
