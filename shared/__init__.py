"""What both ends of a call must agree on: the face model, the 35 floats, their bytes, the wire."""
