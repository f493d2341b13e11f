"""The sending end: camera or file in, 35 floats a frame out."""
