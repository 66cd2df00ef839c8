package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config/value"
)

// errorsOf loads content and returns what a person reads, empty if nothing is
// wrong.
func errorsOf(t *testing.T, content string) string {
	t.Helper()
	_, files, diags := loadText(t, content, LoadOptions{})
	return text(files, diags)
}

const minimal = "rtmp {\n  application \"live\" {}\n}\n"

// A file may be nested a hundred deep, and no deeper.
func TestHowDeepAFileMayBe(t *testing.T) {
	for depth, refused := range map[int]bool{99: false, 100: false, 101: true} {
		for name, brackets := range map[string][2]string{"lists": {"[", "]"}, "parentheses": {"(", ")"}, "objects": {"{ a = ", " }"}} {
			content := minimal + "locals {\n  x = " + strings.Repeat(brackets[0], depth-1) + "1" + strings.Repeat(brackets[1], depth-1) + "\n}\n" // in a block
			if got := strings.Contains(errorsOf(t, content), "too deeply nested"); got != refused {
				t.Errorf("%s, %d deep: refused %v, want %v", name, depth, got, refused)
			}
		}
	}
	for operators, refused := range map[int]bool{20000: false, 20001: true} {
		content := minimal + "locals {\n  x = [" + strings.Repeat("-1, ", operators) + "]\n}\n"
		if got := strings.Contains(errorsOf(t, content), "too deeply nested"); got != refused {
			t.Errorf("%d operators: refused %v, want %v", operators, got, refused)
		}
	}
}

func TestArgumentsOfFunctions(t *testing.T) {
	for expression, want := range map[string]string{
		`env("SET")`:                 "",
		`env("UNSET", "default")`:    "",
		`env("UNSET", null)`:         "",
		`env("UNSET")`:               "environment variable UNSET is not set",
		`env("SET", "a", "b")`:       `write env("NAME") or env("NAME", default)`,
		`env()`:                      "env",
		`file("/does/not/exist")`:    "/does/not/exist",
		`file("/etc/hostname", "x")`: "file",
		`format("%s-%s", "a", "b")`:  "",
		`join("-", ["a", "b"])`:      "",
		`nosuch("x")`:                "nosuch",
	} {
		got := errorsOf(t, minimal+"locals {\n  x = "+expression+"\n}\nlog {\n  format = local.x == \"\" ? \"text\" : \"text\"\n}\n")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
}

// Blocks of two configurations are the same by where they listen; of those that
// are left the first is the first.
func TestWhichBlocksOfAPlanBelongTogether(t *testing.T) {
	block := func(port int, apps ...string) string {
		s := fmt.Sprintf("rtmp {\n  listen = \":%d\"\n", port)
		for _, a := range apps {
			s += fmt.Sprintf("  application %q {}\n", a)
		}
		return s + "}\n"
	}
	for _, c := range []struct {
		name, before, after string
		added, removed      []string // applications
		listeners           int      // changed
	}{
		{"nothing", block(1935, "a") + block(1936, "b"), block(1935, "a") + block(1936, "b"), nil, nil, 0},
		{"the blocks change places", block(1935, "a") + block(1936, "b"), block(1936, "b") + block(1935, "a"), nil, nil, 0},
		{"the second moves", block(1935, "a") + block(1936, "b"), block(1935, "a") + block(1937, "b"), nil, nil, 2},
		{"the first moves", block(1935, "a") + block(1936, "b"), block(1937, "a") + block(1936, "b"), nil, nil, 2},
		{"two of three move", block(1935, "a") + block(1936, "b") + block(1937, "c"), block(2935, "a") + block(1936, "b") + block(2937, "c"), nil, nil, 4},
		{"one more in front", block(1935, "a"), block(1936, "b") + block(1935, "a"), []string{"b"}, nil, 1},
		{"one less", block(1935, "a") + block(1936, "b"), block(1936, "b"), nil, []string{"a"}, 1},
		{"an application moves", block(1935, "a", "b") + block(1936, "c"), block(1935, "a") + block(1936, "c", "b"), []string{"b"}, []string{"b"}, 0},
	} {
		plan := Diff(mustLoad(t, c.before), mustLoad(t, c.after))
		if !slices.Equal(plan.AddedApplications, c.added) || !slices.Equal(plan.RemovedApplications, c.removed) || len(plan.AddedListeners)+len(plan.RemovedListeners) != c.listeners {
			t.Errorf("%s: applications %q added, %q removed, listeners %v, %v; want %q, %q, %d", c.name,
				plan.AddedApplications, plan.RemovedApplications, plan.AddedListeners, plan.RemovedListeners, c.added, c.removed, c.listeners)
		}
	}
}

func TestDurationsToTheLetter(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0s", "300ms": "300ms", "0.5s": "500ms", "1.5ms": "1.5ms", "5": "5s", "90s": "1m30s", "1m30s": "1m30s", "60m": "1h", "24h": "1d", "1w": "7d",
		"1d1h1m1s1ms": "1d1h1m1s1ms", "36h": "1d12h", ".5s": "500ms",
		"": "", "s": "", "5x": "", "5s5": "", "5 s": "", "-5s": "", "5S": "", "1..5s": "", "ms": "", "1m30": "", "7600w": "7600w", "7700w": "",
	} {
		d, err := value.ParseDuration(in)
		got := ""
		if err == nil {
			got = value.FormatDuration(d)
		}
		if in == "7600w" {
			want = "53200d"
		}
		if got != want {
			t.Errorf("%q is %q, %v, want %q", in, got, err, want)
		}
	}
}

// The error for a name of another block says where it belongs.
func TestWhereANameStands(t *testing.T) {
	for content, want := range map[string]string{
		"max_connections_per_ip = 3\n":                                                                                    "it stands in rtmp",
		"rtmp {\n  fragment = \"2s\"\n  application \"live\" {}\n}\n":                                                     "it stands in hls",
		"rtmp {\n  aplication \"live\" {}\n}\n":                                                                           "did you mean application?",
		"rtmp {\n  application \"live\" {\n    key \"cam\" {}\n  }\n}\n":                                                  "did you mean stream_key?",
		"rtmp {\n  application \"live\" {\n    stream_key \"cam\" {\n      key = \"s3cretS3cretS3cret\"\n    }\n  }\n}\n": "did you mean secret?",
		"rtmp {\n  application \"live\" {\n    pul_key = 1\n  }\n}\n":                                                     "rtmpd knows no such name",
	} {
		if got := errorsOf(t, content+minimal); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", content, got, want)
		}
	}
}
