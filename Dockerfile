# The whole interface (docs/container.md):
#   docker run --rm --network none --read-only -v DIR:/submission:ro -v OUT:/reports IMAGE
# Built by `make image`. The secrets pip_conf and ca_bundle and the build context "wheels" are
# optional, and none of them is ever in a layer.

ARG BASE=docker.io/library/debian:bookworm-slim

# Empty unless the build is given --build-context wheels=DIR.
FROM scratch AS wheels

FROM ${BASE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*

FROM python AS pip
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3-venv
ENV PIP_CONFIG_FILE=/run/secrets/pip_conf \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_FIND_LINKS=/wheels \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY container/install requirements.lock ./

# Slow and large, and the same as long as the lock is.
FROM pip AS dependencies
RUN --mount=type=secret,id=pip_conf \
    --mount=type=secret,id=ca_bundle \
    --mount=type=bind,from=wheels,target=/wheels \
    ./install dependencies

FROM pip AS project
COPY LICENSE README.md pyproject.toml ./
COPY schemas schemas
COPY conformance conformance
RUN --mount=type=secret,id=pip_conf \
    --mount=type=secret,id=ca_bundle \
    --mount=type=bind,from=wheels,target=/wheels \
    ./install wheel

FROM python
# The decoder's kernels are compiled while the image is built: for any CPU of this architecture.
ENV NUMBA_CPU_NAME=generic \
    NUMBA_CPU_FEATURES=
COPY --from=dependencies /opt/venv /opt/venv
# Copied, not bind-mounted: podman's layer cache does not look into a mount.
COPY --from=project /build/install /build/dist/ /opt/project/
RUN /opt/project/install project
COPY container/entrypoint /usr/local/bin/entrypoint
# Everything in /opt is compiled already, and only /reports can be written to. No program looks into
# the working folder for modules, and that is no submission. LOGNAME, because --user may give a
# number that the password file does not know.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PYTEST_ADDOPTS="-p no:cacheprovider" \
    LOGNAME=conformance
RUN mkdir /submission /reports
USER 10001:10001
WORKDIR /
ENTRYPOINT ["/usr/local/bin/entrypoint"]
