package snippet

// The image is that of the Dockerfile: nothing but rtmpd, as user 65532. The
// configuration is mounted as a directory, so that a file that an editor replaces is
// seen.

const docker = `
# docker build -t rtmpd https://github.com/rtmpd/rtmpd.git
{{- if .Outside}}
# sudo chown 65532:65532 {{.Outside}}
{{- end}}
docker run -d --name rtmpd --restart unless-stopped \
  --read-only --tmpfs /tmp --tmpfs /run/rtmpd:uid=65532,gid=65532,mode=0700 \
  --cap-drop ALL --security-opt no-new-privileges \
 {{range .PublishedPorts}} -p {{.}}:{{.}}{{end}} \
  -v {{.ConfigDir}}:/etc/rtmpd:ro -v rtmpd-state:/var/lib/rtmpd -v rtmpd-logs:/var/log/rtmpd \
{{- if .Outside}}
  -v {{.Outside}}:{{.Outside}} \
{{- end}}
  rtmpd
{{- if .Holder}}
docker exec rtmpd /usr/bin/rtmpd key show {{.Holder}}
{{- end}}
`

const compose = `
# docker compose up -d, with Compose 2.23.1 or newer; the image is built once. In the
# http block of the configuration write trusted_proxies = ["loopback", "private"].
{{- if .Outside}}
# sudo chown 65532:65532 {{.Outside}}
{{- end}}
services:
  rtmpd:
    image: rtmpd
    build: https://github.com/rtmpd/rtmpd.git
    restart: unless-stopped
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    tmpfs: [/tmp, "/run/rtmpd:uid=65532,gid=65532,mode=0700"]
    ports: ["{{.RTMPPort}}:{{.RTMPPort}}"]
    volumes:
      - {{.ConfigDir}}:/etc/rtmpd:ro
      - state:/var/lib/rtmpd
      - logs:/var/log/rtmpd
{{- if .Outside}}
      - {{.Outside}}:{{.Outside}}
{{- end}}

  traefik:
    image: traefik:v3.4
    restart: unless-stopped
    command:
      - --entrypoints.web.address=:80
      - --entrypoints.web.http.redirections.entrypoint.to=websecure
      - --entrypoints.websecure.address=:443
      - --certificatesresolvers.le.acme.httpchallenge.entrypoint=web
      - --certificatesresolvers.le.acme.storage=/acme/acme.json
      - --providers.file.filename=/etc/traefik/rtmpd.yml
    ports: ["80:80", "443:443"]
    volumes: ["acme:/acme"]
    configs:
      - source: routes
        target: /etc/traefik/rtmpd.yml

configs:
  routes:
    content: |
      http:
        routers:
          rtmpd:
            rule: Host(` + "`{{.Host}}`" + `) && ({{range $i, $p := .Fronts}}{{if $i}} || {{end}}PathPrefix(` + "`{{$p}}`" + `){{end}})
            entryPoints: [websecure]
            service: rtmpd
            tls:
              certResolver: le
{{- if .Prefix}}
            middlewares: [rtmpd-strip]
        middlewares:
          rtmpd-strip:
            stripPrefix:
              prefixes: ["{{.Prefix}}"]
{{- end}}
        services:
          rtmpd:
            loadBalancer:
              servers:
                - url: http://rtmpd:{{.Port}}

volumes:
  state:
  logs:
  acme:
`
