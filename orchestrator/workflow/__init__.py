"""The deterministic shell around the pure core: the one workflow, and how it calls activities."""
