"""Styles: what a look names, found in the gallery, among the pictures that came along, or among the user's own."""
