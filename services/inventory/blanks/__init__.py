"""One blank and one chip: reservations, and what becomes of them."""
