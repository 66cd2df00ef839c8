//go:build traefik

package interop

import (
	"strings"
	"testing"
)

// TestTraefik needs the binary that scripts/build-traefik makes (make test-traefik). The
// snippet is for HTTPS; its route is there once more without.
func TestTraefik(t *testing.T) {
	checkProxies(t, proxy{
		kind: "traefik",
		config: `
SNIPPET
tls:
  stores:
    default:
      defaultCertificate:
        certFile: DIR/cert.pem
        keyFile: DIR/key.pem
`,
		paste: func(snippet string, _ *entrance) string {
			_, route, _ := strings.Cut(snippet, "  routers:\n    rtmpd:\n")
			route, _, _ = strings.Cut(route, "  services:\n")
			route, _, _ = strings.Cut(route, "  middlewares:\n")
			plain := strings.NewReplacer("[websecure]", "[web]", "      tls: {}\n", "").Replace(route)
			return strings.Replace(snippet, "  routers:\n", "  routers:\n    plain:\n"+plain, 1)
		},
		run: func(config string, e *entrance) (string, []string) {
			return "../../dist/traefik-v3.4.1", []string{
				"--entrypoints.web.address=" + e.plain, "--entrypoints.websecure.address=" + e.secure, "--providers.file.filename=" + config,
				"--global.checknewversion=false", "--global.sendanonymoususage=false",
			}
		},
	})
}
