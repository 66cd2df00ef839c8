package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/server"
)

// socketOf finds the control socket of the instance that runs -c. The file may
// be broken just now: what is needed of it is only where the socket lies. That is
// where this user's own instance has it, else where the service does.
func socketOf(o *options) (string, error) {
	l, err := newLoader(o)
	if err != nil {
		return "", err
	}
	cfg, _, _ := l.load(config.LoadOptions{Check: true})
	dir, path := config.RuntimeDir(cfg, l.env), config.AbsPath(l.path)
	own := server.ControlSocket(dir, path)
	if dir != config.RuntimeDir(nil, l.env) || l.env["RUNTIME_DIRECTORY"] != "" {
		return own, nil // somebody said where
	}
	service := server.ControlSocket(o.service.runtime, path)
	if _, err := os.Lstat(own); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(service); err == nil {
			return service, nil
		}
	}
	return own, nil
}

// serviceDirs are the directories that systemd makes for the service and names in
// its environment (StateDirectory=, RuntimeDirectory= of rtmpd.service). Whoever
// types a command has another environment: root's own directories are elsewhere.
type serviceDirs struct{ state, runtime string }

func systemdDirs() serviceDirs {
	return serviceDirs{state: "/var/lib/rtmpd", runtime: "/run/rtmpd"}
}

func ask(ctx context.Context, o *options, verb string) (text string, ok bool, err error) {
	path, err := socketOf(o)
	if err != nil {
		return "", false, err
	}
	return server.Ask(ctx, path, verb)
}

func verbCommand(o *options, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return signalRunning(cmd, o, verb) },
	}
}

// signalRunning carries a verb to the running instance, waits for it and shows
// what it says.
func signalRunning(cmd *cobra.Command, o *options, verb string) error {
	switch verb {
	case "reload", "stop", "quit", "reopen":
	default:
		return usage{fmt.Errorf("-s takes reload, stop, quit or reopen, not %q", verb)}
	}
	text, ok, err := ask(cmd.Context(), o, verb)
	if err != nil {
		return err
	}
	fmt.Fprint(cmd.ErrOrStderr(), text)
	if !ok {
		return failed{exitError}
	}
	return nil
}

func newPlan(o *options) *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a reload would do, and whom it would disconnect", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, ok, err := ask(cmd.Context(), o, "plan")
			if err != nil {
				return err
			}
			if !ok {
				fmt.Fprint(cmd.ErrOrStderr(), text)
				return failed{exitError}
			}
			fmt.Fprint(cmd.OutOrStdout(), text)
			if exitCode && text != noChange {
				return failed{exitUsage} // 2: there is something to do, as terraform's -detailed-exitcode
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit 2 if a reload would change anything")
	return cmd
}

const noChange = "no change\n"

func newKey(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "key", Short: "Make, show and hash stream keys",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage{fmt.Errorf("unknown command %q for \"rtmpd key\": new, show or hash", args[0])}
			}
			return usage{errors.New("key wants new, show HOLDER or hash")}
		},
	}
	var app string
	show := &cobra.Command{
		Use: "show HOLDER", Short: "Print the key that rtmpd made and keeps for a stream_key block",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{errors.New("key show wants the holder: the label of its stream_key block")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return showKey(cmd, o, app, args[0]) },
	}
	show.Flags().StringVar(&app, "app", "", "the `application`, when several have a holder of that name")
	cmd.AddCommand(
		&cobra.Command{
			Use: "new", Short: "Print a fresh key", Args: noArgs,
			Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), server.NewKey()) },
		},
		show,
		&cobra.Command{
			Use: "hash", Short: "Read a key from standard input, print its hash for secret_sha256", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return hashKey(cmd) },
		},
	)
	return cmd
}
