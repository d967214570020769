"""The dialogs, in GTK 3."""
