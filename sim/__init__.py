"""What the suite is tried on where no real people may be: synthetic people, fingers, faces and cards."""
