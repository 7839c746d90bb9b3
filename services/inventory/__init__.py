"""Inventory: contracts, lots, and the custody of every blank card from the purchase to the card."""
