# Two ways to the same small image; compose.yaml takes the first.
#
#   host    copies a static binary that was built outside (see README, "Compose")
#   source  builds it inside, for those who have a registry to fetch the toolchain from:
#           docker build --target source -t hearth .

# The binary is the whole image: no shell, no libc, no package to patch.
FROM scratch AS host
ARG BINARY=target/x86_64-unknown-linux-gnu/release/hearth
COPY ${BINARY} /hearth
COPY config/compose.toml /etc/hearth.toml
ENV HEARTH_CONFIG=/etc/hearth.toml
STOPSIGNAL SIGTERM
ENTRYPOINT ["/hearth"]

FROM rust:1.95 AS build
WORKDIR /hearth
COPY . .
# A static binary needs an explicit target, or the flag would reach procedural macros too.
RUN RUSTFLAGS='-C target-feature=+crt-static' \
    cargo build --release --locked --target x86_64-unknown-linux-gnu

FROM scratch AS source
COPY --from=build /hearth/target/x86_64-unknown-linux-gnu/release/hearth /hearth
COPY config/compose.toml /etc/hearth.toml
ENV HEARTH_CONFIG=/etc/hearth.toml
STOPSIGNAL SIGTERM
ENTRYPOINT ["/hearth"]
