package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/config"
)

const defaultConfig = "/etc/rtmpd"

// configPath returns the path for -c: its argument, else /etc/rtmpd if that exists,
// else nothing, which is the built-in configuration.
func configPath(o *options) (string, error) {
	if o.config != "" {
		return o.config, nil
	}
	_, err := os.Stat(defaultConfig)
	switch {
	case err == nil:
		return defaultConfig, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	}
	return "", fmt.Errorf("%s exists but can't be read: %w", defaultConfig, err)
}

// loader loads the configuration again and again with the environment that the
// process was started with.
type loader struct {
	path  string
	env   map[string]string
	fixed *config.Config // of the demo, which loads no file
}

func newLoader(o *options) (*loader, error) {
	path, err := configPath(o)
	if err != nil {
		return nil, err
	}
	l := &loader{path: path, env: make(map[string]string)}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		l.env[k] = v
	}
	return l, nil
}

// loadValid loads the configuration for a command. If it has errors, loadValid prints
// them and returns failed.
func loadValid(cmd *cobra.Command, o *options) (*loader, *config.Config, error) {
	l, err := newLoader(o)
	if err != nil {
		return nil, nil, err
	}
	cfg, files, diags := l.load(config.LoadOptions{Check: true})
	if diags.HasErrors() {
		report(cmd.ErrOrStderr(), files, diags)
		return nil, nil, failed{exitError}
	}
	return l, cfg, nil
}

func (l *loader) load(o config.LoadOptions) (*config.Config, config.Files, hcl.Diagnostics) {
	if l.fixed != nil {
		return l.fixed, nil, nil
	}
	o.Env = l.env
	if l.path == "" {
		return config.Builtin(o)
	}
	return config.Load(l.path, o)
}

// report writes diagnostics for a person, all of them.
func report(w io.Writer, files config.Files, diags hcl.Diagnostics) {
	config.WriteDiagnostics(w, files, diags)
}

type checkOptions struct{ json, strict, dump bool }

func newCheck(o *options) *cobra.Command {
	var c checkOptions
	cmd := &cobra.Command{
		Use: "check", Short: "Check the configuration and exit", Args: noArgs,
		Long: `Checks the configuration and exits: 0 if it is good, 1 if not, with every
mistake on stderr. What only the service knows (environment variables, credential
and secret files) is a warning, an error with -strict.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return check(cmd, o, c) },
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "diagnostics as JSON on stdout")
	cmd.Flags().BoolVar(&c.strict, "strict", false, "what only the service knows must be there")
	return cmd
}

func check(cmd *cobra.Command, o *options, c checkOptions) error {
	l, err := newLoader(o)
	if err != nil {
		return err
	}
	cfg, files, diags := l.load(config.LoadOptions{Check: true, Strict: c.strict})
	if c.json {
		if err := config.WriteDiagnosticsJSON(cmd.OutOrStdout(), diags); err != nil {
			return err
		}
	} else {
		report(cmd.ErrOrStderr(), files, diags)
	}
	if diags.HasErrors() {
		return failed{exitError}
	}
	if c.dump {
		_, err := cmd.OutOrStdout().Write(config.Dump(cfg))
		return err
	}
	if !c.json {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: ok\n", configName(l.path))
	}
	return nil
}

func configName(path string) string {
	if path == "" {
		return "built-in configuration"
	}
	return path
}

func newFmt() *cobra.Command {
	var write, list bool
	cmd := &cobra.Command{
		Use: "fmt [-w] [--check] FILE…", Short: "Format configuration files canonically",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage{errors.New("fmt wants at least one file (- is standard input)")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return format(cmd, args, write, list) },
	}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the result back to the file")
	cmd.Flags().BoolVar(&list, "check", false, "print the names of files that would change, exit 1 if any")
	return cmd
}

func format(cmd *cobra.Command, paths []string, write, list bool) error {
	bad := false
	for _, path := range paths {
		src, err := readFile(cmd, path)
		if err != nil {
			return err
		}
		out, files, diags := config.Format(src, path)
		if diags.HasErrors() {
			report(cmd.ErrOrStderr(), files, diags)
			bad = true
			continue
		}
		changed := string(out) != string(src)
		switch {
		case list && changed:
			fmt.Fprintln(cmd.OutOrStdout(), path)
			bad = true
		case list:
		case write && path != "-":
			if changed {
				err = overwrite(path, src, out)
			}
		default:
			_, err = cmd.OutOrStdout().Write(out)
		}
		if err != nil {
			return err
		}
	}
	if bad {
		return failed{exitError}
	}
	return nil
}

func readFile(cmd *cobra.Command, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(path)
}

// overwrite writes data over a file's content, in place: owner, mode, ACLs, hard
// links, symlinks and bind mounts stay as they are. It is never empty meanwhile, and
// a running server reads a file only once it stands still. If the disk is full, the
// old content is put back: its room is there.
func overwrite(path string, old, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := writeOver(f, data); err != nil {
		return errors.Join(err, writeOver(f, old))
	}
	return f.Close()
}

func writeOver(f *os.File, data []byte) error {
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	return errors.Join(f.Truncate(int64(len(data))), f.Sync())
}
