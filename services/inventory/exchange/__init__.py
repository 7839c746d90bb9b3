"""Import and export: delivery notes in, movements and balances out."""
