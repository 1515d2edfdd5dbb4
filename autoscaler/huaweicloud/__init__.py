"""Huawei Cloud (and Open Telekom Cloud) by httpx: the adapters of the ports `Cloud` and `MetricSource`.

The only home of the cloud's httpx clients. It shares no code with the emulated cloud: each checks the other.

    cloud ──> ddm ──> instances, groups, jobs, flavors, data_nodes (with rds), scaling
      │  └──> cloud_eye, data_node_cpu ──> batches, series, dimensions
      └─────> iam ──> agency
    all of them ──> gateway ──> reads (retried) │ mutations (sent once) ──> transport ──> httpx
"""
