"""DDM Autoscaler: keeps the node groups of Huawei Cloud DDM the right size. Start reading at `daemon.py`."""

__version__ = "0.1.0"
