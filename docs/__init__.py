"""Documents, and what generates them."""
