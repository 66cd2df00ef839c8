package snippet

// The path stays as it is, /live at the proxy is /live here, unless public_url has a
// path: the proxy takes that off. Where the proxy can make it, X-Mst-Path tells rtmpd
// its public address; the others send X-Forwarded-Proto and X-Forwarded-Host.

const traefik = `
# Traefik: a file of the file provider, for example /etc/traefik/dynamic/rtmpd.yml
http:
  routers:
    rtmpd:
      rule: Host(` + "`{{.Host}}`" + `) && ({{range $i, $p := .Fronts}}{{if $i}} || {{end}}PathPrefix(` + "`{{or $p \"/\"}}`" + `){{end}})
      entryPoints: [websecure]
      service: rtmpd
      tls: {}
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
          - url: http://{{.Backend}}
# If Traefik runs in Docker, its address is a private one: in the http block of
# {{.Config}} write trusted_proxies = ["loopback", "private"].
`

const nginx = `
# nginx: inside the server block of {{.Host}}
{{- range .Fronts}}
location {{.}}/ {
    proxy_pass http://{{$.Backend}}{{if $.Prefix}}/{{end}};
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    proxy_set_header X-Mst-Path $scheme://$http_host{{$.Prefix}}/;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
}
{{- end}}
`

const caddy = `
# Caddy: a site of the Caddyfile
{{.Host}} {
{{- range .Fronts}}
	{{if $.Prefix}}handle_path{{else}}handle{{end}} {{.}}/* {
		reverse_proxy {{$.Backend}} {
			header_up X-Mst-Path {scheme}://{hostport}{{$.Prefix}}/
			flush_interval -1
		}
	}
{{- end}}
}
`

const apache = `
# Apache: inside the VirtualHost of {{.Host}}
# sudo a2enmod proxy proxy_http headers
ProxyPreserveHost On
{{- range .Fronts}}
<Location "{{.}}/">
    ProxyPass "http://{{$.Backend}}{{if not $.Prefix}}{{.}}{{end}}/" upgrade=websocket flushpackets=on
    RequestHeader set X-Mst-Path "expr=%{REQUEST_SCHEME}://%{HTTP_HOST}{{$.Prefix}}/"
</Location>
{{- end}}
`

const lighttpd = `
# lighttpd: /etc/lighttpd/conf-enabled/90-rtmpd.conf
server.modules += ( "mod_proxy" )
$HTTP["host"] == "{{.Host}}" {
{{- range .Fronts}}
    $HTTP["url"] =~ "^{{.}}/" {
        proxy.server = ( "" => ( ( "host" => "{{$.BackendHost}}", "port" => {{$.Port}} ) ) )
        proxy.forwarded = ( "for" => 1, "proto" => 1, "host" => 1 )
        proxy.header = ( {{if $.Prefix}}"map-urlpath" => ( "{{$.Prefix}}" => "" ), {{end}}"upgrade" => "enable" )
    }
{{- end}}
}
`

const haproxy = `
# HAProxy: in the frontend of {{.Host}}, and a backend
frontend web
    option forwardfor
{{- range .Fronts}}
    use_backend rtmpd if { path_beg {{.}}/ }
{{- end}}
backend rtmpd
    option http-no-delay
    http-request set-header X-Mst-Path http%[ssl_fc,iif(s,)]://%[req.hdr(host)]{{.Prefix}}/
{{- if .Prefix}}
    http-request replace-path {{.Prefix}}/(.*) /\1
{{- end}}
    server rtmpd {{.Backend}}
`
