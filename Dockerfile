# The reference image. `make image` builds it; docs/container.md says how, also behind a proxy or without the internet.
# From the host it needs a driver of 580 or newer (CUDA 13), and the NVIDIA container toolkit; CUDA itself comes as wheels.
ARG VARIANT=cuda
ARG BASE_IMAGE=debian:bookworm-20261005-slim@sha256:7c7b2c966bc9ee8cedfeef67e0e279108992c77681fa595db4a9d65c06ccc587

# Empty, unless a build brings local wheels along: --build-context wheels=FOLDER
FROM scratch AS wheels

FROM ${BASE_IMAGE} AS python
ARG DEBIAN_SNAPSHOT=20261005T000000Z
RUN --mount=type=bind,source=docker/apt.sh,target=/apt.sh \
    --mount=type=secret,id=apt_sources,target=/run/apt_sources \
    sh /apt.sh "${DEBIAN_SNAPSHOT}" python3.11

# What the system of a variant has beside Python: the CPU image draws episodes in software.
FROM python AS system-cuda
FROM python AS system-cpu
RUN --mount=type=bind,source=docker/apt.sh,target=/apt.sh \
    --mount=type=secret,id=apt_sources,target=/run/apt_sources \
    sh /apt.sh "${DEBIAN_SNAPSHOT}" libosmesa6

FROM python AS dependencies
RUN --mount=type=bind,source=docker/apt.sh,target=/apt.sh \
    --mount=type=secret,id=apt_sources,target=/run/apt_sources \
    sh /apt.sh "${DEBIAN_SNAPSHOT}" python3.11-venv
ARG VARIANT
RUN --mount=type=bind,source=docker/install.sh,target=/docker/install.sh \
    --mount=type=bind,source=docker/prune.sh,target=/docker/prune.sh \
    --mount=type=bind,source=docker/requirements-cuda.txt,target=/docker/requirements-cuda.txt \
    --mount=type=bind,source=docker/requirements-cpu.txt,target=/docker/requirements-cpu.txt \
    --mount=type=bind,from=wheels,target=/wheels \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle,target=/run/ca_bundle.crt \
    --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    sh /docker/install.sh "${VARIANT}"

# Ours, by itself: a change of our code leaves the large layer of the dependencies as it is.
FROM dependencies AS ours
COPY . /src
RUN sh /src/docker/install-ours.sh "${VARIANT}"

# hadolint ignore=DL3006 # a stage from above, not an image
FROM system-${VARIANT}
COPY --from=dependencies /opt/mst-bench /opt/mst-bench
COPY --from=ours /ours /
ARG VARIANT
ARG BASE_IMAGE
ARG REVISION=unknown
RUN --mount=type=bind,source=docker,target=/docker \
    /opt/mst-bench/bin/python -IB /docker/write_content.py "${VARIANT}" "${REVISION}"
LABEL org.opencontainers.image.title="mst-bench" \
      org.opencontainers.image.description="Reproducible deep-RL benchmarks whose numbers can be checked" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      mst-bench.variant="${VARIANT}"
ENV PATH=/opt/mst-bench/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    MST_BENCH_OUT=/out \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NVIDIA_REQUIRE_CUDA="cuda>=13.0"
WORKDIR /tmp
VOLUME /out
USER 10001:10001
ENTRYPOINT ["mst-bench"]
CMD ["--help"]
