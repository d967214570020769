"""Styles that a look names: the gallery's, pictures that came along, and the user's own."""
