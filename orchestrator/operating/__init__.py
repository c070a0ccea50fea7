"""What makes a worker fit to be operated: its metrics, health, version and traces."""
