"""A package with migrations of its own, as a service has them."""
