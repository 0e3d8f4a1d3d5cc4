# docker build -t audiogrid .                       CPU
# docker build -t audiogrid:cuda --target cuda .    GPUs; their driver comes from the host, the rest from Python packages
# docker build -t audiogrid --build-arg MODEL=base .    with a model in it, for hosts without a network
# docker build -t audiogrid --build-arg EXTRAS=s3 .     with more extras of pyproject.toml
# docs/containers.md says how to run it.

# Debian 12. A registry of your own, or a digest: --build-arg BASE=...
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS system
WORKDIR /opt/audiogrid
COPY containers/install.sh containers/install.sh
RUN sh containers/install.sh system
# The environment's programs first; caches where every user may write.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/cache \
    PYTHONUNBUFFERED=1 \
    AUDIOGRID_CONTAINER=1

FROM system AS libraries-cpu
# Only what decides about libraries: a change of the code leaves this layer as it is.
COPY pyproject.toml constraints.txt hatch_build.py ./
ARG EXTRAS=
RUN sh containers/install.sh libraries "$EXTRAS"

FROM system AS libraries-cuda
COPY pyproject.toml constraints.txt hatch_build.py ./
ARG EXTRAS=
RUN sh containers/install.sh libraries "cuda,$EXTRAS"
# What NVIDIA's container runtime puts into the container: the driver's libraries for computing.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM libraries-cuda AS cuda
COPY . .
ARG MODEL=
RUN sh containers/install.sh model "$MODEL"
USER audiogrid
ENTRYPOINT ["python", "/opt/audiogrid/scripts/container.py"]

# Last, so that it is what a build without --target makes.
FROM libraries-cpu AS cpu
COPY . .
ARG MODEL=
RUN sh containers/install.sh model "$MODEL"
USER audiogrid
ENTRYPOINT ["python", "/opt/audiogrid/scripts/container.py"]
