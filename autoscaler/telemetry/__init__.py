"""What is seen from outside without asking: Prometheus metrics and the log. The only home of prometheus_client."""
