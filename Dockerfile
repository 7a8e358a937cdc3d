# syntax=docker/dockerfile:1
# The image of `retail-assist`: the release build without the local Meta and the fault points of the tests, in a small image
# with nothing else to run. One image for every role; what a container does is its command (docker-compose.yml).

# The toolchain of rust-toolchain.toml; both lines change together.
FROM rust:1.95.0-slim-bookworm AS build
# It also asks for clippy and rustfmt, which an image does not need.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
# The registry and the target directory are kept between builds but not in the image, so the program is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release -p api --no-default-features --locked \
    && cp target/release/retail-assist /retail-assist

FROM debian:bookworm-slim
# Meta's certificates are checked against the system's roots.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin retail-assist
COPY --from=build /retail-assist /usr/local/bin/retail-assist
USER 10001:10001
# Inside a container every address is the container's own; what is reachable from outside says whoever publishes the port.
ENV BIND_ADDR=0.0.0.0:8080 LOG_FORMAT=json
EXPOSE 8080
# Whether the process answers. `healthcheck --ready` asks whether work gets done; no restart of this process mends that.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["retail-assist", "healthcheck"]
# A process needs up to 29 seconds to end (`serve` finishes what it has begun), so give it 35.
STOPSIGNAL SIGTERM
ENTRYPOINT ["retail-assist"]
CMD ["serve"]
