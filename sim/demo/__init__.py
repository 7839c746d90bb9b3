"""The people of one demo day, and the blanks that they wait for."""
