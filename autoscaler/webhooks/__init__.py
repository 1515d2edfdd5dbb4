"""Webhooks: letters posted over HTTP, signed so that a receiver knows them from anybody's (port `Courier`).

A home of httpx beside the clients of the cloud and of Prometheus.
"""
