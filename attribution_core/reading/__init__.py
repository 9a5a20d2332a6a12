"""Arguments as users give them, read and checked once."""
