"""The end of cards: spoilage, cards that come back, their way to the fire, witnessed destruction."""
