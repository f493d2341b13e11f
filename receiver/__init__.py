"""The receiving end: 35 floats a frame in, a rebuilt picture out."""
