package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
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
	wait, err := server.ServeControl(ctx, server.ControlSocket(service.runtime, path), server.Verbs{
		"reload": func(context.Context) (string, bool) { return "the service\n", true },
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
