"""What the suite is tried on where no real people may be: synthetic people with their fingers, faces and cards."""
