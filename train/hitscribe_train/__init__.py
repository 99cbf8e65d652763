"""The recipe of Hitscribe's built-in model."""
