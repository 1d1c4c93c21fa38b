"""A second, independent reading of the domain, against which the product is compared."""
