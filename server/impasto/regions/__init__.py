"""From selectors to masks, soft and at the picture's full size."""
