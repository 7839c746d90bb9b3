"""Contracts of every kind, what they entitle to, what vendors leave behind, and what was delivered."""
