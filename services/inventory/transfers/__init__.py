"""Transfers as such: linked ones, two-phase ones, and taking them back."""
