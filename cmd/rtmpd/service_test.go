package main

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/control"
	"github.com/rtmpd/rtmpd/internal/server"
)

// Root at a terminal has not the service's environment, and finds its key and its
// control socket all the same; unless the configuration or the environment says
// that they are elsewhere.
func TestAPersonFindsTheService(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rtmpd.hcl")
	text := `rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    stream_key "test" {}
  }
}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	service := serviceDirs{state: filepath.Join(dir, "lib"), runtime: filepath.Join(dir, "run")}
	cfg, _, diags := config.Load(path, config.LoadOptions{Env: map[string]string{"STATE_DIRECTORY": service.state, "RUNTIME_DIRECTORY": service.runtime}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	srv := server.New(server.Options{Log: zap.NewNop(), Level: zap.NewAtomicLevel(), Announce: func(string) {}})
	if _, err := srv.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	wait, err := control.Serve(ctx, control.Socket(service.runtime, path), control.Verbs{
		"reload": func(context.Context, url.Values) (string, bool) { return "the service\n", true },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); wait() })

	for _, unset := range []string{"STATE_DIRECTORY", "RUNTIME_DIRECTORY"} {
		t.Setenv(unset, "")
	}
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "own"))
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "own"))
	try := func(do func(*cobra.Command, *options) error) (string, error) {
		var out bytes.Buffer
		cmd := new(cobra.Command)
		cmd.SetContext(t.Context())
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		err := do(cmd, &options{config: path, service: service})
		return out.String(), err
	}
	key := func(cmd *cobra.Command, o *options) error { return showKey(cmd, o, "", "test") }
	reload := func(cmd *cobra.Command, o *options) error { return signalRunning(cmd, o, "reload") }

	if out, err := try(key); err != nil || value.ValidSecret(strings.TrimSpace(out)) != nil {
		t.Errorf("key show: %q, %v", out, err)
	}
	if out, err := try(reload); err != nil || out != "the service\n" {
		t.Errorf("reload: %q, %v", out, err)
	}
	t.Run("which the environment places elsewhere", func(t *testing.T) {
		t.Setenv("STATE_DIRECTORY", filepath.Join(dir, "else"))
		t.Setenv("RUNTIME_DIRECTORY", filepath.Join(dir, "else"))
		if out, err := try(key); err == nil {
			t.Errorf("key show: %q", out)
		}
		if out, err := try(reload); err == nil {
			t.Errorf("reload: %q", out)
		}
	})
	t.Run("which the configuration places elsewhere", func(t *testing.T) {
		elsewhere := "state_dir = \"" + filepath.Join(dir, "else") + "\"\nruntime_dir = \"" + filepath.Join(dir, "else") + "\"\n"
		if err := os.WriteFile(path, []byte(elsewhere+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := try(key); err == nil {
			t.Errorf("key show: %q", out)
		}
		if out, err := try(reload); err == nil {
			t.Errorf("reload: %q", out)
		}
	})
}

// TestRootDoesNotRunTheServicesConfigurationByHand: what root leaves behind the service
// could not write, and a key that root has made is not the service's.
func TestRootDoesNotRunTheServicesConfigurationByHand(t *testing.T) {
	dir := t.TempDir()
	unit := filepath.Join(dir, "rtmpd.service")
	if err := os.WriteFile(unit, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "run"))
	err := run(t.Context(), &options{service: serviceDirs{units: []string{filepath.Join(dir, "none"), unit}, root: true}})
	if !errors.Is(err, errByHand) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestTheRunningServerIsAskedForItsKeyFirst: a bare rtmpd has left another one.
func TestTheRunningServerIsAskedForItsKeyFirst(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rtmpd.hcl")
	if err := os.WriteFile(path, []byte("rtmp {\n  application \"show\" {\n    stream_key \"test\" {}\n  }\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("RUNTIME_DIRECTORY", "")
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "own"))
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "run"))
	service := serviceDirs{state: filepath.Join(dir, "lib"), runtime: filepath.Join(dir, "srv")}
	show := func() string {
		var out bytes.Buffer
		cmd := new(cobra.Command)
		cmd.SetContext(t.Context())
		cmd.SetOut(&out)
		if err := showKey(cmd, &options{config: path, service: service}, "", "test"); err != nil {
			return err.Error()
		}
		return strings.TrimSpace(out.String())
	}
	if got := show(); !strings.Contains(got, "not made yet") {
		t.Errorf("before the first start: %q", got)
	}
	for _, d := range []struct{ dir, key string }{{filepath.Join(dir, "own", "rtmpd"), "roots-own-key-01"}, {service.state, "the-services-key"}} {
		keys := filepath.Join(d.dir, "keys", "show")
		if err := os.MkdirAll(keys, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(keys, "test"), []byte(d.key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := show(); got != "the-services-key" {
		t.Errorf("of the service: %q", got)
	}
	cfg, _, diags := config.Load(path, config.LoadOptions{Env: map[string]string{"STATE_DIRECTORY": filepath.Join(dir, "running"), "RUNTIME_DIRECTORY": service.runtime}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	in := &instance{cfg: cfg}
	wait, err := control.Serve(t.Context(), control.Socket(service.runtime, path), in.verbs())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wait)
	if got := show(); !strings.Contains(got, "not made yet") { // there
		t.Errorf("of the running server: %q", got)
	}
	keys := filepath.Join(dir, "running", "keys", "show")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, "test"), []byte("the-running-ones\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := show(); got != "the-running-ones" {
		t.Errorf("of the running server: %q", got)
	}
}
