package config

import (
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

func TestDiffSaysWhatAReloadDoes(t *testing.T) {
	const base = `
rtmp {
  listen = ":1935"
  application "show" {
    stream_key "test" {
      secret = "the-first-secret"
    }
    hls {
      path     = "/srv/show"
      fragment = "3s"
    }
    stream "cam*" {
      reconnect_grace = "1m"
    }
    stream "x*" {
    }
  }
  application "old" {
  }
}
http {
  location "/live" {
    root = "/srv"
  }
}
`
	for _, tt := range []struct {
		name    string
		replace []string // pairs
		want    []string // Plan.Text
	}{
		{name: "nothing changes"},
		{name: "comments and blanks", replace: []string{"rtmp {", "# new\n\nrtmp {"}},
		{name: "the same said otherwise", replace: []string{`":1935"`, "1935", `"3s"`, "3", `path     = "/srv/show"`, `path = "/srv/./show/"`}},
		{
			name: "a listener more", replace: []string{`listen = ":1935"`, `listen = [":1935", ":1936"]`},
			want: []string{"listener :1936 (rtmp) added: opened at once"},
		},
		{
			name: "a listener moves", replace: []string{`listen = ":1935"`, `listen = "127.0.0.1:1935"`},
			want: []string{"listener 127.0.0.1:1935 (rtmp) added: opened at once", "listener :1935 (rtmp) removed: closed at once; its sessions stay"},
		},
		{
			name: "hls changes", replace: []string{`fragment = "3s"`, "nested = true\n playlist_length = 60"},
			// 5 s rounds above 3 s: that part waits
			want: []string{
				`application "show": hls (max_fragment, playlist_length, nested): replaced at the next keyframe cut`,
				`application "show": hls (fragment): applies at the next publish`,
				`application "show": stream "cam*": hls (max_fragment, playlist_length, nested): replaced at the next keyframe cut`,
				`application "show": stream "cam*": hls (fragment): applies at the next publish`,
				`application "show": stream "x*": hls (max_fragment, playlist_length, nested): replaced at the next keyframe cut`,
				`application "show": stream "x*": hls (fragment): applies at the next publish`,
			},
		},
		{
			name: "a stream's hls goes, and gets keys", replace: []string{"stream \"x*\" {", "stream \"x*\" {\n hls {\n enabled = false\n }\n", "reconnect_grace = \"1m\"", "hls {\n keys {\n path = \"/srv/k\"\n }\n }"},
			want: []string{
				`application "show": stream "cam*" (reconnect_grace): applies at once`,
				`application "show": stream "cam*": hls (keys): replaced at the next keyframe cut`,
				`application "show": stream "x*": hls removed: stops at the next keyframe cut`,
			},
		},
		{
			name: "a key changes", replace: []string{"the-first-secret", "the-second-secret"},
			want: []string{`application "show": stream_key "test" (secret): applies at once; every live session is checked again`},
		},
		{
			name: "a key is renamed", replace: []string{`stream_key "test"`, `stream_key "best"`},
			want: []string{
				`application "show": stream_key "best" added: applies at once; every live session is checked again`,
				`application "show": stream_key "test" removed: applies at once; every live session is checked again`,
			},
		},
		{
			name: "an application goes, another comes", replace: []string{`application "old"`, `application "new"`},
			want: []string{
				`application "new" added: takes publishers and players at once`,
				`application "old" removed: its sessions are closed with a status that says why`,
			},
		},
		{
			name: "rules", replace: []string{"stream \"cam*\"", "access {\n publish = [\"deny all\"]\n }\n stream \"cam*\""},
			want: []string{
				`application "show": access (publish): applies at once; every live session is checked again`,
			},
		},
		{
			name: "chunk_size and timeouts", replace: []string{"rtmp {", "rtmp {\n chunk_size = 4096\n timeout = 5\n"},
			want: []string{"rtmp (timeout): applies to new connections", "rtmp (chunk_size): applies at the next publish"},
		},
		{
			name: "locations", replace: []string{"root = \"/srv\"", "root = \"/var\"\n }\n location \"= /x\" {\n health {}\n"},
			want: []string{
				`http: location "/live" (root): applies to the next request`,
				`http: location "= /x" added: applies to the next request`,
			},
		},
		{
			name: "the top level", replace: []string{"rtmp {", "state_dir = \"/srv/state\"\nshutdown_timeout = 3\nlog {\n level = \"debug\"\n }\nrtmp {"},
			want: []string{"shutdown_timeout: applies at once", "state_dir: applies when rtmpd is started again", "log (level): applies at once"},
		},
		{
			name: "a second http block", replace: []string{"http {", "http {\n listen = 8081\n location \"/\" {\n health {}\n }\n }\n http {"},
			want: []string{"listener :8081 (http) added: opened at once"},
		},
		{
			name: "stream blocks change places", replace: []string{`stream "cam*"`, `stream "tmp"`, `stream "x*"`, `stream "cam*"`, `stream "tmp"`, `stream "x*"`},
			want: []string{
				`application "show": stream "x*" (reconnect_grace): applies at once`,
				`application "show": stream "cam*" (reconnect_grace): applies at once`,
				`application "show": order of the stream blocks: the first that matches applies`,
			},
		},
		{
			name: "rtmp ends", replace: []string{base, "http {\n location \"/live\" {\n root = \"/srv\"\n }\n}"},
			want: []string{
				"listener :1935 (rtmp) removed: closed at once; its sessions stay",
				`rtmp on :1935: application "show" removed: its sessions are closed with a status that says why`,
				`rtmp on :1935: application "old" removed: its sessions are closed with a status that says why`,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next := base
			for i := 0; i < len(tt.replace); i += 2 {
				next = strings.Replace(next, tt.replace[i], tt.replace[i+1], 1)
			}
			plan := Diff(mustLoad(t, base), mustLoad(t, next))
			want := ""
			for _, line := range tt.want {
				want += line + "\n"
			}
			if got := plan.Text(); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if plan.Empty() != (want == "") {
				t.Errorf("Empty is %v", plan.Empty())
			}
			if strings.Contains(plan.Text()+plan.Summary(), "second-secret") {
				t.Error("a secret in the plan")
			}
		})
	}
}

func TestDiffFromNothingAddsEverything(t *testing.T) {
	cfg := mustLoad(t, "rtmp {\n application \"a\" {\n }\n}\nhttp {\n}")
	plan := Diff(nil, cfg)
	if len(plan.AddedListeners) != 2 || len(plan.AddedApplications) != 1 || len(plan.Changes) != 3 {
		t.Errorf("%+v", plan)
	}
	if plan.AddedListeners[1].String() != ":1935 (rtmp)" || !strings.Contains(plan.Summary(), `application "a" added`) {
		t.Errorf("%v %s", plan.AddedListeners, plan.Summary())
	}
	back := Diff(cfg, &Config{StateDir: cfg.StateDir})
	if len(back.RemovedListeners) != 2 || len(back.RemovedApplications) != 1 {
		t.Errorf("%+v", back)
	}
	if !Diff(cfg, cfg).Empty() || !Diff(nil, &Config{}).Empty() {
		t.Error("equal configurations have a plan")
	}
}

// TestDiffForgetsNoField changes each field of a full configuration, one at a
// time, and demands a change that says when it applies.
func TestDiffForgetsNoField(t *testing.T) {
	cfg, _, diags := Load("testdata/valid/everything.hcl", LoadOptions{Env: testEnv})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	fill(reflect.ValueOf(cfg).Elem())
	fields, schema := 0, newSchema()
	var walk func(path string, s *blockSchema, v reflect.Value)
	walk = func(path string, s *blockSchema, v reflect.Value) {
		for _, a := range s.attrs {
			if a.index == nil {
				continue
			}
			f := v.FieldByIndex(a.index)
			before := *cfg
			old := reflect.New(f.Type()).Elem()
			old.Set(f)
			// Compare against a deep copy: cfg itself is what is changed.
			copied := deepCopy(reflect.ValueOf(before)).Interface().(Config)
			change(f)
			plan := diff(schema, &copied, cfg)
			f.Set(old)
			fields++
			if plan.Empty() {
				t.Errorf("%s.%s: a change goes unnoticed", path, a.name)
				continue
			}
			for _, c := range plan.Changes {
				if c.When == "" || c.Text == "" {
					t.Errorf("%s.%s: %+v", path, a.name, c)
				}
			}
		}
		for _, b := range s.blocks {
			if b.index == nil || b.name == "stream" || b.empty {
				continue
			}
			f := v.FieldByIndex(b.index)
			switch f.Kind() {
			case reflect.Pointer:
				f = f.Elem()
			case reflect.Slice:
				f = f.Index(0)
			}
			walk(path+"."+b.name, b, f)
		}
	}
	walk("", schema, reflect.ValueOf(cfg).Elem())
	if fields < 200 {
		t.Errorf("only %d fields", fields)
	}
}

// fill gives every nil pointer and empty slice of blocks one.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		fill(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct || v.Type().Elem() == reflect.TypeFor[value.Address]() || v.Type().Elem() == reflect.TypeFor[netip.Prefix]() {
			return
		}
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			if v.Type().Elem() == reflect.TypeFor[StreamRule]() {
				return
			}
			fill(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("hcl") != "" {
				fill(v.Field(i))
			}
		}
	}
}

// change makes v another value of its type.
func change(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = x.Add(time.Hour)
	case *value.Addresses:
		*x = append(value.Addresses{{Network: "tcp", Port: 7}}, *x...)
	case *value.Networks:
		*x = append(value.Networks{netip.MustParsePrefix("198.51.100.0/24")}, *x...)
	case *value.Rules:
		*x = append(value.Rules{{Prefix: netip.MustParsePrefix("198.51.100.0/24")}}, *x...)
	default:
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Int, reflect.Int64:
			v.SetInt(v.Int() + 1)
		case reflect.Uint16:
			v.SetUint(v.Uint() + 1)
		case reflect.Float64:
			v.SetFloat(v.Float() + 1)
		case reflect.Map:
			m := reflect.MakeMap(v.Type())
			m.SetMapIndex(reflect.ValueOf("new"), reflect.Zero(v.Type().Elem()))
			v.Set(m)
		case reflect.Slice:
			v.Set(reflect.Append(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, 9), v), reflect.Zero(v.Type().Elem())))
		default:
			panic(v.Type().String())
		}
	}
}

func deepCopy(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(deepCopy(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(deepCopy(v.Index(i)))
			}
		}
	case reflect.Struct:
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(deepCopy(v.Field(i)))
			}
		}
	default:
		out.Set(v)
	}
	return out
}

func TestEqualIgnoresOnlyPlaces(t *testing.T) {
	a := mustLoad(t, "rtmp {\n application \"a\" {\n hls {\n path = \"/srv/a\"\n }\n }\n}").RTMP[0].Applications[0]
	b := mustLoad(t, "\n\n rtmp {\n application \"a\" {\n hls {\n path = \"/srv/a\"\n }\n }\n}").RTMP[0].Applications[0]
	if !Equal(a, b) || !Equal(*a.HLS, *b.HLS) || !Equal(a.HLS, b.HLS) {
		t.Error("places make a difference")
	}
	c := *b.HLS
	c.Sync++
	if Equal(*a.HLS, c) || Equal(a.HLS, nil) {
		t.Error("a difference goes unnoticed")
	}
	if Equal(value.Rules{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}, value.Rules{{Prefix: netip.MustParsePrefix("10.0.0.0/9")}}) {
		t.Error("prefixes are not compared")
	}
}

func TestDumpHidesSecrets(t *testing.T) {
	env := map[string]string{"HOME": "/h", "A": "very-secret-in-env", "B": "/very-secret-path", "C": "very-secret-header"}
	content := `
state_dir = env("B")
rtmp {
  application "a" {
    stream_key "x" {
      secret = env("A")
    }
    stream_key "y" {
      secret = "very-secret-in-file"
    }
    stream_key "z" {
      secret_sha256 = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
    }
    hls {
      path     = "${env("B")}/$app"
      base_url = "https://${env("C")}/"
    }
  }
}
http {
  location "/" {
    root  = env("B")
    token = "very-secret-token"
    headers = {
      X = env("C")
      Y = "shown"
    }
    basic_auth = {
      admin = "$2y$10$very.secret.hash.uv0123456789ABCDEFGHIJKLMNOPQRSTUVWX"
    }
  }
}`
	cfg, files, diags := loadText(t, content, LoadOptions{Env: env})
	if len(diags) > 0 {
		t.Fatal(text(files, diags))
	}
	dump := string(Dump(cfg))
	for _, leak := range []string{"very-secret", "very.secret", "5e884898"} {
		if strings.Contains(dump, leak) {
			t.Errorf("%s is in\n%s", leak, dump)
		}
	}
	for _, want := range []string{`"shown"`, `admin = "$2y$10$`, `stream_key "x"`} {
		if !strings.Contains(dump, want) {
			t.Errorf("%s is not in\n%s", want, dump)
		}
	}
	if _, files, diags := loadText(t, dump, LoadOptions{Env: env}); len(diags) > 0 {
		t.Errorf("diagnostics:\n%s\nof\n%s", text(files, diags), dump)
	}
}

func TestFormat(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"x.hcl", "rtmp   {\nlisten=\":1935\"\n  chunk_size   =   1 # one\n}\n\n\n", "rtmp {\n  listen     = \":1935\"\n  chunk_size = 1 # one\n}\n"},
		{"x.hcl", "a = 1", "a = 1\n"},
		{"x.hcl", "", ""},
		{"x.hcl.json", `{"a":{"b":1}}`, "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n"},
	} {
		got, _, diags := Format([]byte(tt.in), tt.name)
		if diags.HasErrors() || string(got) != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.in, got, diags, tt.want)
		}
		if again, _, _ := Format(got, tt.name); string(again) != string(got) {
			t.Errorf("%q: formatting again gives %q", tt.in, again)
		}
	}
	got, files, diags := Format([]byte("rtmp {\n  listen 1935;\n}\n"), "x.hcl")
	if !strings.Contains(text(files, diags), "rtmpd import FILE") || string(got) != "rtmp {\n  listen 1935;\n}\n" {
		t.Errorf("got %q, %s", got, text(files, diags))
	}
	if _, _, diags := Format([]byte("{"), "x.hcl.json"); !diags.HasErrors() {
		t.Error("broken JSON is formatted")
	}
	example, err := os.ReadFile("../examples/scanlines.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := Format(example, "scanlines.hcl"); string(got) != string(example) {
		t.Errorf("the example is not formatted; it would be\n%s", got)
	}
}

func TestDiagnosticsAsJSON(t *testing.T) {
	_, _, diags := loadText(t, "rtmp {\n  chunk_size = \"x\"\n}\n", LoadOptions{})
	var b strings.Builder
	if err := WriteDiagnosticsJSON(&b, diags); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"severity": "error"`, `"line": 2`, `"column": 16`, `"end_column": 19`, `"file":`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is not in %s", want, b.String())
		}
	}
	b.Reset()
	if err := WriteDiagnosticsJSON(&b, nil); err != nil || b.String() != "[]\n" {
		t.Errorf("no diagnostics: %q, %v", b.String(), err)
	}
	if got := OneLine(diags[0]); !strings.Contains(got, "rtmpd.hcl:2:16: chunk_size: ") {
		t.Errorf("OneLine: %s", got)
	}
}
