//go:build traefik

package interop

import "testing"

// TestTraefik needs the binary that scripts/build-traefik makes (make
// test-traefik). The route is that of docs/proxies.md: the prefix is not stripped.
func TestTraefik(t *testing.T) {
	s := startServer(t)
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitLive(t, "test")
	checkProxy(t, s, proxy{
		config: `
# %[1]s is said on the command line, %[3]s is not needed
http:
  routers:
    live:
      rule: "PathPrefix(` + "`/live`" + `)"
      service: rtmpd
  services:
    rtmpd:
      loadBalancer:
        servers:
          - url: "http://%[2]s"
`,
		run: func(config, address string) (string, []string) {
			return "../../dist/traefik-v3.4.1", []string{
				"--entrypoints.web.address=" + address, "--providers.file.filename=" + config,
				"--global.checknewversion=false", "--global.sendanonymoususage=false",
			}
		},
	})
}
