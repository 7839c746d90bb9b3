"""Host side of GlobalPlatform Card Specification 2.3.1: secure channels and the card manager."""
