package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

func newTrigger(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "trigger", Short: "Try the handlers of a trigger",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage{fmt.Errorf("unknown command %q for \"rtmpd trigger\": test", args[0])}
			}
			return usage{errors.New("trigger wants test NAME -stream STREAM")}
		},
	}
	var app, stream string
	test := &cobra.Command{
		Use: "test NAME -stream STREAM [-app APPLICATION]", Short: "Give a made-up event to the handlers of a trigger, and show what they get and answer",
		Long: `Calls the handlers that the configuration has for the trigger NAME and the stream, one
after the other, with figures that are made up, and prints the payload, the answer and
what rtmpd would make of it. The running server has no part in it. The exit status is 1
if a handler gave no answer.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || stream == "" {
				return usage{errors.New("trigger test wants the name of a trigger, and -stream STREAM")}
			}
			_, cfg, err := loadValid(cmd, o)
			if err != nil {
				return err
			}
			return testTrigger(cmd, cfg, args[0], app, value.NormalName(stream))
		},
	}
	f := test.Flags()
	f.StringVar(&stream, "stream", "", "the `name` of the stream, or what a publisher types")
	f.StringVar(&app, "app", "", "its `application`; unset: the first")
	cmd.AddCommand(test)
	return cmd
}

func testTrigger(cmd *cobra.Command, cfg *config.Config, name, app, stream string) error {
	kind, ok := config.TriggerKindOf(strings.ToUpper(name))
	if !ok {
		return usage{fmt.Errorf("there is no trigger %q", name)}
	}
	list, app, err := triggersOf(cfg, kind, app, stream)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("the configuration has no trigger %q for this stream", kind.Name)
	}
	e, err := hooks.Sample(kind.Name, app, stream)
	if err != nil {
		return err
	}
	client := hooks.New(zap.NewNop())
	defer client.Close(time.Now())
	failed := 0
	for _, t := range client.Try(cmd.Context(), list, e) {
		printTrial(cmd.OutOrStdout(), t)
		if t.Failed {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d handlers gave no answer", failed, len(list))
	}
	return nil
}

// triggersOf are the handlers of a trigger for a stream of an application; app is empty
// for the first one.
func triggersOf(cfg *config.Config, kind config.TriggerKind, app, stream string) ([]*config.Trigger, string, error) {
	h := hooks.TriggerNamed(kind.Name)
	if kind.Server {
		return hooks.NewTriggers("", cfg.Triggers, nil).For(h, stream), "", nil
	}
	for i := range cfg.RTMP {
		for j := range cfg.RTMP[i].Applications {
			a := &cfg.RTMP[i].Applications[j]
			if app == "" || a.Name == app || a.Name == "*" {
				named := app
				if named == "" {
					named = a.Name
				}
				return hooks.NewTriggers(named, cfg.Triggers, a.Triggers).For(h, stream), named, nil
			}
		}
	}
	return nil, "", fmt.Errorf("there is no application %q", app)
}

func printTrial(w io.Writer, t hooks.Trial) {
	indent := func(text string) string {
		return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
	}
	fmt.Fprintf(w, "%s gets\n%s\n", t.Handler, indent(t.Payload))
	if !t.Failed {
		fmt.Fprintf(w, "and answers within %s\n%s\n", t.Took.Round(time.Millisecond), indent(fmt.Sprintf("%q", t.Answer)))
	}
	fmt.Fprintf(w, "which means: %s\n", t.Means)
}
