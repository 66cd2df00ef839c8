package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/manpage"
)

// newMan makes the command that writes the manual: a page for each command, and one for
// the configuration, which is docs/reference.md.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages below a directory",
		Long: `Writes the manual pages below DIR: man1/rtmpd.1 and one for each command, and
man5/rtmpd.hcl.5, which has every block and attribute of the configuration.

    sudo rtmpd man /usr/local/share/man`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{errors.New("man wants the directory to write to")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for name, text := range manual(cmd.Root()) {
				path := filepath.Join(args[0], name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(path, text, 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// manualDate is the date of the pages: SOURCE_DATE_EPOCH where a package is made, so
// that the same source gives the same pages, else when this rtmpd was built.
func manualDate() time.Time {
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(s, 0)
	}
	return built()
}

// manual is every page, by its path.
func manual(root *cobra.Command) map[string][]byte {
	root.InitDefaultCompletionCmd()
	pages := map[string][]byte{"man5/rtmpd.hcl.5": configPage()}
	var add func(*cobra.Command)
	add = func(cmd *cobra.Command) {
		pages["man1/"+pageName(cmd)+".1"] = commandPage(cmd)
		for _, sub := range subcommands(cmd) {
			add(sub)
		}
	}
	add(root)
	return pages
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// subcommands are those with a page of their own.
func subcommands(cmd *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			out = append(out, sub)
		}
	}
	return out
}

func commandPage(cmd *cobra.Command) []byte {
	p := manpage.New(pageName(cmd), 1, lowerFirst(cmd.Short), manualDate(), versionLine())
	p.Section("Synopsis")
	p.Synopsis(cmd.CommandPath(), strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath()))
	p.Section("Description")
	if cmd.Long != "" {
		p.Text(strings.ReplaceAll(cmd.Long, "\t", "    "))
	} else {
		p.Text(cmd.Short + ".")
	}
	subs := subcommands(cmd)
	if len(subs) > 0 {
		p.Section("Commands")
		for _, sub := range subs {
			p.Item(strings.TrimPrefix(sub.CommandPath(), cmd.CommandPath()+" "), sub.Short+".")
		}
	}
	writeOptions(p, cmd.NonInheritedFlags(), cmd.InheritedFlags())
	if !cmd.HasParent() {
		for _, s := range generally {
			p.Section(s.title)
			p.Markdown(s.text)
		}
	}
	p.Section("See also")
	see := []string{"rtmpd.hcl(5)"}
	if cmd.HasParent() {
		see = append(see, pageName(cmd.Parent())+"(1)")
	}
	for _, sub := range subs {
		see = append(see, pageName(sub)+"(1)")
	}
	p.Text(strings.Join(see, ", "))
	return p.Bytes()
}

// writeOptions writes the flags of the sets that are not hidden.
func writeOptions(p *manpage.Page, sets ...*pflag.FlagSet) {
	var shown []*pflag.Flag
	for _, set := range sets {
		set.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				shown = append(shown, f)
			}
		})
	}
	if len(shown) == 0 {
		return
	}
	p.Section("Options")
	for _, f := range shown {
		arg, text := pflag.UnquoteUsage(f)
		word := "--" + f.Name
		if f.Shorthand != "" {
			word = "-" + f.Shorthand + ", " + word
		}
		if arg != "" {
			word += " " + arg
		}
		switch f.DefValue {
		case "", "false", "0s", "[]":
		default:
			text += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		p.Item(word, upperFirst(text)+".")
	}
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' { // RTMP
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// generally is what the page of rtmpd itself says besides.
var generally = []struct{ title, text string }{
	{"Signals", `
- ` + "`SIGHUP`" + `
  Reloads the configuration.
- ` + "`SIGUSR1`" + `
  Opens the logs again, after a rotation.
- ` + "`SIGTERM`, `SIGINT`" + `
  Stops: fragments and recordings are closed, within ` + "`shutdown_timeout`" + `.
- ` + "`SIGQUIT`" + `
  Waits for the streams to end, then stops.
`},
	{"Files", `
- ` + "`/etc/rtmpd`" + `
  The configuration: every *.hcl in it. Without it a built-in one is used.
- ` + "`/var/lib/rtmpd`" + `
  What the service keeps: the stream keys and certificates that it made, and its fragments.
- ` + "`/usr/share/doc/rtmpd`" + `
  The documentation and examples.
`},
	{"Environment", `
- ` + "`STATE_DIRECTORY`" + `
  Where rtmpd keeps what must survive a restart, unless ` + "`state_dir`" + ` says it. systemd sets it.
- ` + "`RUNTIME_DIRECTORY`" + `
  Where the control socket is, unless ` + "`runtime_dir`" + ` says it. systemd sets it.
- ` + "`CREDENTIALS_DIRECTORY`" + `
  Where ` + "`credential(\"NAME\")`" + ` in the configuration looks for files (LoadCredential= of systemd).
- ` + "`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `LISTEN_FDS`" + `
  How systemd and rtmpd talk to each other: sd_notify(3), sd_listen_fds(3).
- ` + "`GOMEMLIMIT`, `GOGC`" + `
  Of the Go runtime: a limit for the memory, and how often it is collected (50 unless it is set).
`},
	{"Exit status", `
- ` + "`0`" + `
  All is well.
- ` + "`1`" + `
  There is a mistake in the configuration, or something went wrong.
- ` + "`2`" + `
  The command was called in a wrong way.
`},
}

// configPage is the reference of the configuration.
func configPage() []byte {
	p := manpage.New("rtmpd.hcl", 5, "configuration of rtmpd", manualDate(), versionLine())
	p.Section("Description")
	p.Markdown(string(config.Reference()))
	p.Section("See also")
	p.Text("rtmpd(1), rtmpd-check(1), rtmpd-fmt(1), rtmpd-plan(1)")
	return p.Bytes()
}
