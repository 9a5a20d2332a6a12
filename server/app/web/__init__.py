"""The contract over HTTP: Flask, the service behind it, and how results travel."""
