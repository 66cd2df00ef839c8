package interop

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// TestComposeReadsTheSnippet has the parser of Docker Compose read what rtmpd snippet
// compose prints for the example: a server that can write to its volumes alone, and
// Traefik, which is told where it is.
func TestComposeReadsTheSnippet(t *testing.T) {
	t.Parallel()
	text, err := command(t, time.Minute, rtmpd, "snippet", "compose", "-c", "../../examples/scanlines.hcl").Output()
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  t.TempDir(),
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: text}},
	}, func(o *loader.Options) { o.SetProjectName("live", true) })
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	server, traefik := project.Services["rtmpd"], project.Services["traefik"]
	if !server.ReadOnly || !slices.Equal(server.CapDrop, []string{"ALL"}) || len(server.Ports) != 1 || server.Ports[0].Published != "1935" {
		t.Errorf("rtmpd: %+v", server)
	}
	var mounts []string
	for _, v := range server.Volumes {
		mounts = append(mounts, v.Type+" "+v.Target)
	}
	for _, want := range []string{"volume /var/lib/rtmpd", "volume /var/log/rtmpd", "bind /nginx/live"} {
		if !slices.Contains(mounts, want) {
			t.Errorf("no %s in %v", want, mounts)
		}
	}
	routes := project.Configs[traefik.Configs[0].Source].Content
	if traefik.Configs[0].Target != "/etc/traefik/rtmpd.yml" || !strings.Contains(strings.Join(traefik.Command, " "), "--providers.file.filename=/etc/traefik/rtmpd.yml") ||
		!strings.Contains(routes, "url: http://rtmpd:8080\n") || !strings.Contains(routes, "PathPrefix(`/live`)") {
		t.Errorf("Traefik: %v, %v\n%s", traefik.Command, traefik.Configs, routes)
	}
}
