package main

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/rtmpd/rtmpd/"

// layer is where each package stands (docs/architecture.md): it imports packages of
// lower layers only.
var layer = map[string]int{
	"cmd/rtmpd": 9, "bench": 9,
	"internal/server": 8, "internal/rtmpserver": 7, "internal/web": 7, "internal/apiserver": 7, "internal/origin": 6,
	"internal/hls": 5, "internal/dash": 5, "internal/nginxconf": 5, "internal/top": 5,
	"internal/web/http1": 3, "internal/control": 4, "internal/listen": 2, "internal/acme": 3,
	"internal/fanout": 4, "internal/packager": 4, "internal/record": 4, "internal/relay": 4, "internal/ingest": 4, "internal/vod": 4,
	"internal/hooks": 4, "internal/api": 4, "internal/apistate": 4, "internal/pages": 4, "internal/demo": 4, "internal/progressive": 4, "internal/snippet": 4, "internal/manpage": 1,
	"internal/live": 3, "internal/rtmp": 3, "internal/flv": 3, "internal/segmenter": 3, "internal/clip": 3, "internal/accesslog": 3,
	"internal/doctor": 3, "internal/viewers": 3, "internal/lint": 3, "internal/mediatest": 3, "internal/websocket": 3,
	"internal/mpegts": 2, "internal/mp4": 2, "internal/mkv": 2, "internal/segstore": 2, "internal/amf": 2, "internal/awake": 2, "config": 2, "internal/testport": 2, "config/value": 1,
	"internal/media": 1, "internal/gather": 1, "internal/bmff": 1, "internal/viewtoken": 1, "internal/fdlimit": 1, "internal/output": 1, "internal/quota": 1, "internal/capacity": 1, "internal/measure": 5, "internal/fuzztime": 1, "internal/cmcd": 1,
}

// outside lists what a package of values may import besides the standard
// library; packages not named here may import any module in go.mod.
var outside = map[string][]string{
	"internal/media": {"github.com/bluenviron/mediacommon/v2/pkg"}, "internal/amf": {},
	"config": {
		"github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty", "github.com/fsnotify/fsnotify",
	},
	"internal/viewtoken": {"github.com/golang-jwt/jwt/v5"},
	"config/value":       {"github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty/cty", "github.com/agext/levenshtein", "golang.org/x/text/unicode/norm"},
}

func TestImportsPointStrictlyDownward(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		own, ok := layer[pkg]
		if !ok {
			t.Errorf("%s has no layer: name it here, above all that it imports", pkg)
		}
		for _, path := range fields[1:] {
			dep, ours := strings.CutPrefix(path, module)
			switch {
			case ours && layer[dep] >= own:
				t.Errorf("%s (layer %d) imports %s (layer %d): imports point downward only", pkg, own, dep, layer[dep])
			case ours && dep == "config" && own < 4:
				t.Errorf("%s imports config: below layer 4 packages take ordinary arguments", pkg)
			case !ours && !allowedOutside(pkg, path):
				t.Errorf("%s imports %s: it does with the standard library", pkg, path)
			}
		}
	}
}

// allowedOutside reports whether pkg may import path, which is not of this module.
func allowedOutside(pkg, path string) bool {
	modules, limited := outside[pkg]
	if root, _, _ := strings.Cut(path, "/"); !limited || !strings.Contains(root, ".") {
		return true
	}
	for _, m := range modules {
		if path == m || strings.HasPrefix(path, m+"/") {
			return true
		}
	}
	return false
}
