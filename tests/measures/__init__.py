"""Measures against golden numbers, other libraries, simulation and brute force."""
