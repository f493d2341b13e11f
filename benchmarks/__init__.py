"""Measurements of the product; each command writes a JSON file and a picture."""
