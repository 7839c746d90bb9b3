"""The two faces of the card: fields, template, text that fits, background and picture."""
