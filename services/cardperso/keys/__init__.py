"""Keys of cards and of the issuer: keystores, diversification, ceremonies."""
