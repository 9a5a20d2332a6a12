"""The models: what they return, and when each device runs them."""
