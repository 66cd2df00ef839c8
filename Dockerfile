# An image with rtmpd and nothing else: docker build -t rtmpd .
#
# The configuration is what is mounted at /etc/rtmpd; without one the built-in
# configuration makes a stream key and prints it (docker logs). Keys, certificates and
# fragments are in /var/lib/rtmpd: a volume keeps them.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags '-s -w' -o /image/usr/bin/rtmpd ./cmd/rtmpd
RUN mkdir -p /own/var/lib/rtmpd /own/var/log/rtmpd /own/run/rtmpd /own/tmp && chmod 700 /own/run/rtmpd

FROM scratch
COPY --from=build /image/ /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /own/ /
ENV STATE_DIRECTORY=/var/lib/rtmpd RUNTIME_DIRECTORY=/run/rtmpd
USER 65532:65532
VOLUME /var/lib/rtmpd
EXPOSE 1935 8080
# TERM closes fragments and recordings; docker stop waits 10 s, as shutdown_timeout does.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/usr/bin/rtmpd", "health"]
ENTRYPOINT ["/usr/bin/rtmpd"]
CMD ["run"]
