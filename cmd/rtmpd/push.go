package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func newPush(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "push", Short: "List, start and stop the pushes of a stream to other servers",
		Long: `Lists the pushes of the streams that are live, and starts and stops them by hand.
What was started or stopped by hand stays so until the stream ends; a push with
manual = true begins stopped.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage{fmt.Errorf("unknown command %q for \"rtmpd push\": list, start or stop", args[0])}
			}
			return usage{errors.New("push wants list [APP/NAME], start APP/NAME [PUSH] or stop APP/NAME [PUSH]")}
		},
	}
	cmd.AddCommand(
		pushCommand(o, "list", "list [APP/NAME]", "Show where the streams are pushed to, and how that goes"),
		pushCommand(o, "start", "start APP/NAME [PUSH]", "Start a push of a stream, or all of them; one that waits tries at once"),
		pushCommand(o, "stop", "stop APP/NAME [PUSH]", "Stop a push of a stream, or all of them"),
	)
	return cmd
}

func pushCommand(o *options, do, use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			question := url.Values{"do": {do}}
			if len(args) > 2 || len(args) == 0 && do != "list" {
				return usage{fmt.Errorf("push %s wants APP/NAME, an application and the public name of a stream in it, and perhaps the name of a push", do)}
			}
			if len(args) > 0 {
				app, name, ok := strings.Cut(strings.Trim(args[0], "/"), "/")
				if !ok || strings.Contains(name, "/") {
					return usage{fmt.Errorf("%q is not APP/NAME: an application and the public name of a stream in it", args[0])}
				}
				question["app"], question["stream"] = []string{app}, []string{name}
			}
			if len(args) > 1 {
				question["push"] = args[1:]
			}
			text, ok, err := ask(cmd.Context(), o, "push", question)
			if err == nil && ok && do == "list" {
				fmt.Fprint(cmd.OutOrStdout(), text)
				return nil
			}
			return printAnswer(cmd, text, ok, err)
		},
	}
}

// push lists the pushes of streams, or starts or stops them.
func (in *instance) push(do, app, stream, push string) (text string, ok bool) {
	if do == "list" {
		var b strings.Builder
		for _, p := range in.server.Origin().Pushes(app, stream, push) {
			b.WriteString(p.Line() + "\n")
		}
		return b.String(), true
	}
	found, changed := in.server.Origin().SteerPushes(app, stream, push, do == "start")
	switch {
	case found == 0:
		return fmt.Sprintf("%s/%s is not live, or has no such push\n", app, stream), false
	case changed == 0:
		return fmt.Sprintf("%s/%s: nothing to %s\n", app, stream, do), true
	}
	done := map[string]string{"start": "started", "stop": "stopped"}[do]
	return fmt.Sprintf("%s/%s: %s %d of %d\n", app, stream, done, changed, found), true
}
