// Command rtmpd is a live streaming server: RTMP in, HLS out, as one HCL file
// says, and the file can change under it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rtmpd/rtmpd/config"
)

func main() {
	os.Exit(execute(os.Args[1:]))
}

// Exit codes. Scripts depend on them: they do not change.
const (
	exitOK    = 0
	exitError = 1 // in the configuration or at run time
	exitUsage = 2
)

// failed is an error that has been reported already: only its exit code counts.
type failed struct{ code int }

func (f failed) Error() string { return fmt.Sprintf("exit status %d", f.code) }

// usage is a wrong way to call rtmpd.
type usage struct{ error }

func execute(args []string) int {
	root := newRoot()
	root.SetArgs(longFlags(root, args))
	err := root.ExecuteContext(context.Background())
	var f failed
	var u usage
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &u):
		fmt.Fprintf(os.Stderr, "rtmpd: %s\nTry 'rtmpd --help'.\n", err)
		return exitUsage
	}
	fmt.Fprintf(os.Stderr, "rtmpd: %s\n", err)
	return exitError
}

// longFlags lets long flags be written with one dash, as nginx's and Go's are:
// -strict is --strict. Only names that some command knows are touched.
func longFlags(root *cobra.Command, args []string) []string {
	known := map[string]bool{"help": true}
	var collect func(*cobra.Command)
	collect = func(c *cobra.Command) {
		for _, set := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
			set.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		}
		for _, sub := range c.Commands() {
			collect(sub)
		}
	}
	collect(root)
	out := slices.Clone(args)
	for i, a := range out {
		if a == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if len(name) > 1 && a[0] == '-' && a[1] != '-' && known[name] {
			out[i] = "-" + a
		}
	}
	return out
}

// options are the flags that several commands share.
type options struct {
	config string // -c: file or directory; empty: /etc/rtmpd, else the built-in one
	test   bool   // -t
	dump   bool   // -T
	signal string // -s
	v      bool   // -v, -V

	service serviceDirs
}

func newRoot() *cobra.Command {
	o := options{service: systemdDirs()}
	root := &cobra.Command{
		Use:   "rtmpd",
		Short: "RTMP in, HLS out: a live streaming server in one binary",
		Long: `rtmpd takes live streams from OBS and ffmpeg over RTMP, writes them to disk as
HLS and serves them over HTTP, as one HCL file says. Saving the file reloads it
and drops nobody. Without a command it serves, as "rtmpd run" does.`,
		Args:                       noArgs,
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.v:
				fmt.Println(versionLine())
				return nil
			case o.dump:
				return check(cmd, &o, checkOptions{dump: true})
			case o.test:
				return check(cmd, &o, checkOptions{})
			case o.signal != "":
				return signalRunning(cmd, &o, o.signal)
			}
			return run(cmd.Context(), &o)
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.PersistentFlags().StringVarP(&o.config, "config", "c", "", "configuration `file or directory` (default /etc/rtmpd, else a built-in one)")
	f := root.Flags()
	f.BoolVarP(&o.test, "test", "t", false, "check the configuration and exit, like nginx -t")
	f.BoolVarP(&o.dump, "dump", "T", false, "check the configuration, print the effective one with secrets masked, and exit")
	f.StringVarP(&o.signal, "signal", "s", "", "tell the running instance of -c: `reload|stop|quit|reopen`")
	f.BoolVarP(&o.v, "version", "v", false, "print the version and exit")
	f.BoolVarP(&o.v, "Version", "V", false, "the same")
	f.Lookup("Version").Hidden = true

	root.AddCommand(
		&cobra.Command{
			Use: "run", Short: "Serve (the default)", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), &o) },
		},
		newCheck(&o), newFmt(), newPlan(&o), newKick(&o), newPush(&o), newHealth(&o), newKey(&o), newToken(&o), newSessions(&o), newTrigger(&o), newTop(&o), newBench(&o), newCalc(&o), newDemo(), newSnippet(&o), newImport(), newLint(), newMan(),
		verbCommand(&o, "reload", "Reload the configuration of the running instance of -c"),
		verbCommand(&o, "stop", "Stop the running instance of -c: segments are closed, playlists stay resumable"),
		verbCommand(&o, "quit", "Let the running instance of -c finish its streams, then stop it"),
		&cobra.Command{
			Use: "version", Short: "Print the version", Args: noArgs,
			Run: func(*cobra.Command, []string) { fmt.Println(versionLine()) },
		},
	)
	root.InitDefaultHelpCmd()
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage{fmt.Errorf("unknown command or argument %q for %q%s", args[0], cmd.CommandPath(), meant(cmd, args[0]))}
	}
	return nil
}

// meant guesses what was intended by an argument that cmd does not take.
func meant(cmd *cobra.Command, arg string) string {
	if near := cmd.SuggestionsFor(arg); len(near) > 0 {
		return fmt.Sprintf(": did you mean %s?", near[0])
	}
	if text, err := os.ReadFile(arg); err == nil && config.IsNginxConf(text) {
		return ": this is an nginx.conf, type: rtmpd import -o rtmpd.hcl " + arg
	}
	if _, err := os.Stat(arg); err == nil || strings.HasSuffix(arg, ".hcl") {
		return fmt.Sprintf(": write %s -c %s", cmd.CommandPath(), arg)
	}
	return ""
}

// version returns the module's version or the commit of the build.
func version() string {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := bi.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range bi.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

// built is when this rtmpd was built: the time of its commit, so that the same
// source says the same; without one the time of its file.
func built() time.Time {
	if bi, ok := debug.ReadBuildInfo(); ok {
		for _, s := range bi.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return t
			}
		}
	}
	path, err := os.Executable()
	if err != nil {
		return time.Time{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func versionLine() string { return "rtmpd " + version() }
