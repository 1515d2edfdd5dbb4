# The daemon in a container. The base image needs a `python3` (3.11 or newer) with venv, and nothing else.
#
#   docker build --tag ddm-autoscaler .
#   docker run --read-only --volume state:/state --volume ./config:/etc/ddm-autoscaler:ro --env-file credentials.env \
#     --publish 127.0.0.1:9178:9178 ddm-autoscaler
#
# A stop finishes or writes down a call that has begun, within the 10 s that Docker waits.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /src
RUN python3 -m venv /opt/ddm-autoscaler
# The locked packages are a layer of their own, which a change of the code leaves in the cache.
COPY constraints.txt ./
RUN /opt/ddm-autoscaler/bin/python -m pip install --no-cache-dir --require-hashes --requirement constraints.txt
COPY pyproject.toml README.md LICENSE* ./
COPY autoscaler ./autoscaler
# What installs packages has no work in the final image.
RUN /opt/ddm-autoscaler/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/ddm-autoscaler/bin/python -m pip uninstall --yes hatchling setuptools pip \
 && mkdir /state

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="DDM Autoscaler" \
      org.opencontainers.image.description="Keeps the node groups of Huawei Cloud DDM the right size" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/ddm-autoscaler /opt/ddm-autoscaler
COPY config /etc/ddm-autoscaler
# The user has a number and no name, so that no base image needs a useradd and Kubernetes sees that it is not root.
COPY --from=build --chown=10001:10001 /state /state
ENV PATH=/opt/ddm-autoscaler/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AUTOSCALER_SERVER__LISTEN=0.0.0.0:9178 \
    AUTOSCALER_STORE=sqlite:////state/autoscaler.db
USER 10001:10001
WORKDIR /state
VOLUME /state
EXPOSE 9178
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python3", "-c", "import http.client, os, sys; c = http.client.HTTPConnection(os.environ['AUTOSCALER_SERVER__LISTEN'], timeout=4); c.request('GET', '/-/healthy'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["autoscaler"]
CMD ["run", "--config", "/etc/ddm-autoscaler/autoscaler.yaml"]
