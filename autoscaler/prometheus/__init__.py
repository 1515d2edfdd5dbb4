"""A metric source for PromQL: a Prometheus server, or another that has its HTTP API (Thanos, Mimir, VictoriaMetrics).

    source.PrometheusSource   the port `MetricSource`: spans of time, and what the series of an answer mean
    client.Client             one query_range over httpx: time-outs, retries, errors
    answers                   an answer's bytes as series, and what the server says is wrong
    connection.Connection     where the server is, and who we are to it

The server's HTTP API: https://prometheus.io/docs/prometheus/latest/querying/api/
"""
