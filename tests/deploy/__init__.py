"""What is needed to run the platform elsewhere, checked without Docker and Kubernetes."""
