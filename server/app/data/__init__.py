"""What the user gave: batches, features, numbered examples."""
