package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/control"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// socketOf finds the control socket of the instance that runs -c. The file may be
// invalid at the moment: only the path of the socket is needed of it. It tries the
// socket of this user's own instance, then that of the service.
func socketOf(o *options) (string, error) {
	l, err := newLoader(o)
	if err != nil {
		return "", err
	}
	cfg, _, _ := l.load(config.LoadOptions{Check: true})
	dir, path := config.RuntimeDir(cfg, l.env), config.AbsPath(l.path)
	own := control.Socket(dir, path)
	if dir != config.RuntimeDir(nil, l.env) || l.env["RUNTIME_DIRECTORY"] != "" {
		return own, nil // the path is set
	}
	service := control.Socket(o.service.runtime, path)
	if _, err := os.Lstat(own); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(service); err == nil {
			return service, nil
		}
	}
	return own, nil
}

// serviceDirs are the directories that systemd makes for the service and names in
// its environment (StateDirectory=, RuntimeDirectory= of rtmpd.service). A command runs
// in another environment: root's own directories are elsewhere.
type serviceDirs struct {
	state, runtime string
	units          []string // where its unit may be installed
	root           bool     // whether this process is root's: what it leaves the service can't write
}

func systemdDirs() serviceDirs {
	return serviceDirs{
		state: "/var/lib/rtmpd", runtime: "/run/rtmpd",
		units: []string{"/etc/systemd/system/rtmpd.service", "/usr/lib/systemd/system/rtmpd.service", "/lib/systemd/system/rtmpd.service"},
		root:  os.Geteuid() == 0,
	}
}

func (d serviceDirs) installed() bool {
	return slices.ContainsFunc(d.units, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

func ask(ctx context.Context, o *options, verb string, args url.Values) (text string, ok bool, err error) {
	path, err := socketOf(o)
	if err != nil {
		return "", false, err
	}
	return control.Ask(ctx, path, verb, args)
}

func verbCommand(o *options, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return signalRunning(cmd, o, verb) },
	}
}

// signalRunning sends a verb to the running instance, waits and prints the answer.
func signalRunning(cmd *cobra.Command, o *options, verb string) error {
	switch verb {
	case "reload", "stop", "quit", "reopen":
	default:
		return usage{fmt.Errorf("-s takes reload, stop, quit or reopen, not %q", verb)}
	}
	text, ok, err := ask(cmd.Context(), o, verb, nil)
	return printAnswer(cmd, text, ok, err)
}

func newPlan(o *options) *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use: "plan [DRAFT]", Short: "Show what a reload would do, and whom it would disconnect",
		Long: `Shows what a reload would do, whom it would disconnect included: the running
instance of -c says so. With DRAFT, a file or directory that is not in force, it
says what that would do in place of the whole configuration. Saving a file that is
in force reloads it. What the API has changed is listed below, with whether it
has an effect.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage{errors.New("plan wants one draft at most, a file or a directory")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			question := make(url.Values)
			if len(args) > 0 {
				draft, diags := config.ReadDraft(args[0])
				if diags.HasErrors() {
					report(cmd.ErrOrStderr(), nil, diags)
					return failed{exitError}
				}
				question["name"], question["text"] = draft.Names, draft.Texts
			}
			text, ok, err := ask(cmd.Context(), o, "plan", question)
			if err != nil {
				return err
			}
			if !ok {
				fmt.Fprint(cmd.ErrOrStderr(), text)
				return failed{exitError}
			}
			fmt.Fprint(cmd.OutOrStdout(), text)
			if exitCode && !strings.HasPrefix(text, noChange) {
				return failed{exitUsage} // 2: there is something to do, as terraform's -detailed-exitcode
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit 2 if a reload would change anything")
	return cmd
}

const noChange = "no change\n"

func newKick(o *options) *cobra.Command {
	var long time.Duration
	cmd := &cobra.Command{
		Use: "kick APP/NAME [-for TIME]", Short: "End the publisher of a stream, and keep it out for a while",
		Long: `Ends the publisher of a stream. Encoders come back at once: -for keeps it out, by
its stream key in the application, or without one by its address and the name. A
restart of rtmpd forgets that; to keep it out for good change its key.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{errors.New("kick wants APP/NAME: an application and the public name of a stream in it")}
			}
			app, name, ok := strings.Cut(strings.Trim(args[0], "/"), "/")
			if !ok || strings.Contains(name, "/") {
				return usage{fmt.Errorf("%q is not APP/NAME: an application and the public name of a stream in it", args[0])}
			}
			text, ok, err := ask(cmd.Context(), o, "kick", url.Values{"app": {app}, "stream": {name}, "for": {value.FormatDuration(long)}})
			return printAnswer(cmd, text, ok, err)
		},
	}
	cmd.Flags().Var((*durationFlag)(&long), "for", "keep the publisher out for this `time`, as 10m or 1d")
	return cmd
}

func newHealth(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "Ask the running instance of -c how it is: exit 0 if it can do its job", Args: noArgs,
		Long: `Asks the running instance of -c how it is, for the health check of a container. It
prints what a health location answers: ok or failing, and a line for each finding.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), topTimeout)
			defer cancel()
			text, ok, err := ask(ctx, o, "health", nil)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), text)
			if !ok {
				return failed{exitError}
			}
			return nil
		},
	}
}

// printAnswer prints the answer of the running instance.
func printAnswer(cmd *cobra.Command, text string, ok bool, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprint(cmd.ErrOrStderr(), text)
	if !ok {
		return failed{exitError}
	}
	return nil
}

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
			Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), origin.NewKey()) },
		},
		show,
		&cobra.Command{
			Use: "hash", Short: "Read a key from standard input, print its hash for secret_sha256", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return hashKey(cmd) },
		},
	)
	return cmd
}
