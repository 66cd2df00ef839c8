package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const nginxConf = "worker_processes auto;\nrtmp {\n    server {\n        listen 1935;\n        application show { live on; hls on; hls_path /tmp/hls; frobnicate on; }\n    }\n}\n"

// called runs a command of rtmpd.
func called(stdin string, args ...string) (stdout, stderr string, err error) {
	root := newRoot()
	var out, errs bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(longFlags(root, args))
	err = root.Execute()
	return out.String(), errs.String(), err
}

func TestImport(t *testing.T) {
	dir := t.TempDir()
	conf, hcl := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "rtmpd.hcl")
	if err := os.WriteFile(conf, []byte(nginxConf), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, report, err := called("", "import", conf)
	if err != nil || !strings.Contains(stdout, "application \"show\" {\n    hls {") || !strings.Contains(report, conf+":5: frobnicate: not taken over: ") || !strings.Contains(report, conf+":1: worker_processes: not needed: ") {
		t.Errorf("%v\n%s\n%s", err, stdout, report)
	}
	piped, report, err := called(nginxConf, "import", "-stdin")
	if err != nil || piped != stdout || !strings.Contains(report, "standard input:5: frobnicate: ") {
		t.Errorf("-stdin: %v\n%s\n%s", err, piped, report)
	}
	nothing, _, err := called("", "import", "-strict", "-o", hcl, conf)
	if written, _ := os.ReadFile(hcl); err == nil || nothing != "" || string(written) != stdout {
		t.Errorf("-strict -o: %v\n%s%s", err, nothing, written)
	}
	if _, _, err := called(strings.Replace(nginxConf, "frobnicate on;", "", 1), "import", "-strict", "-stdin"); err != nil {
		t.Errorf("-strict although everything was taken over: %v", err)
	}
	if _, _, err := called("", "check", "-c", hcl); err != nil {
		t.Errorf("check: %v", err)
	}
	if _, _, err := called("", "fmt", "-check", hcl); err != nil {
		t.Errorf("fmt: %v", err)
	}
	for _, args := range [][]string{{"import"}, {"import", "a", "b"}, {"import", "-stdin", "a"}, {"import", filepath.Join(dir, "gone")}} {
		if _, _, err := called("", args...); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// Other commands answer an nginx.conf with the import command to use.
func TestAnNginxConfIsAnsweredWithTheCommandToType(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "nginx.conf")
	if err := os.WriteFile(conf, []byte(nginxConf), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "type: rtmpd import -o rtmpd.hcl " + conf
	for _, args := range [][]string{{"check", "-c", conf}, {"run", "-c", conf}, {"-t", "-c", conf}, {"check", conf}, {conf}, {"fmt", conf}} {
		_, report, err := called("", args...)
		if err == nil || args[0] != "run" && !strings.Contains(report+err.Error(), want) { // run speaks to the process's own stderr
			t.Errorf("%v: %v\n%s", args, err, report)
		}
	}
}
