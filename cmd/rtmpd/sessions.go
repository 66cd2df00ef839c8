package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

func newSessions(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sessions", Short: "List, stop, tag and invalidate the sessions of those who watch",
		Long: `Lists the sessions of RTMP players, and of HTTP viewers where the application has a
sessions block; ends them, gives them a tag, or has on_play asked about them again.
A session that was stopped may come back: refuse it in on_play first.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage{fmt.Errorf("unknown command %q for \"rtmpd sessions\": list, stop, tag or invalidate", args[0])}
			}
			return usage{errors.New("sessions wants list [APP/NAME], stop APP/NAME|ID, tag ID TAG or invalidate APP/NAME")}
		},
	}
	var tag, protocol string
	stop := sessionsCommand(o, "stop", "stop APP/NAME|ID", "End the sessions of a stream, one session, or those with a tag", &tag, &protocol)
	stop.Flags().StringVar(&tag, "tag", "", "end only those with this `tag`; no APP/NAME is needed")
	stop.Flags().StringVar(&protocol, "protocol", "", "end only those of `rtmp|hls|dash`")
	cmd.AddCommand(
		sessionsCommand(o, "list", "list [APP/NAME]", "Show who watches: session, stream, address, protocols, time, bytes, tags", nil, nil),
		stop,
		sessionsCommand(o, "tag", "tag ID TAG", "Give a session a tag", nil, nil),
		sessionsCommand(o, "invalidate", "invalidate APP/NAME", "Ask on_play about every viewer of a stream again", nil, nil),
	)
	return cmd
}

func sessionsCommand(o *options, do, use, short string, tag, protocol *string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			question := url.Values{"do": {do}}
			if tag != nil && *tag != "" {
				question.Set("tag", *tag)
			}
			if protocol != nil && *protocol != "" {
				question.Set("protocol", *protocol)
			}
			if do == "tag" && len(args) == 2 {
				question.Set("tag", args[1])
				args = args[:1]
			}
			if len(args) == 1 {
				app, name, slash := strings.Cut(strings.Trim(args[0], "/"), "/")
				_, err := strconv.ParseUint(args[0], 10, 64)
				switch {
				case err == nil && (do == "stop" || do == "tag"):
					question.Set("id", args[0])
				case !slash || strings.Contains(name, "/") || do == "tag":
					return usage{fmt.Errorf("%q is neither APP/NAME nor a session", args[0])}
				default:
					question["app"], question["stream"] = []string{app}, []string{name}
				}
			}
			if len(args) > 1 || len(args) == 0 && do != "list" && !(do == "stop" && question.Has("tag")) || do == "tag" && !question.Has("tag") {
				return usage{fmt.Errorf("rtmpd sessions %s", use)}
			}
			text, ok, err := ask(cmd.Context(), o, "sessions", question)
			if err == nil && ok && do == "list" {
				fmt.Fprint(cmd.OutOrStdout(), text)
				return nil
			}
			return printAnswer(cmd, text, ok, err)
		},
	}
}

// sessions lists sessions, or does something to them.
func (in *instance) sessions(args url.Values) (text string, ok bool) {
	og := in.server.Origin()
	f := origin.SessionFilter{App: args.Get("app"), Stream: args.Get("stream"), Protocol: args.Get("protocol")}
	if id := args.Get("id"); id != "" {
		var err error
		if f.ID, err = strconv.ParseUint(id, 10, 64); err != nil || f.ID == 0 {
			return fmt.Sprintf("%q is no session: rtmpd sessions list shows their numbers\n", id), false
		}
	}
	n, done := 0, ""
	switch args.Get("do") {
	case "list":
		return sessionTable(og.Sessions(f)), true
	case "stop":
		f.Tag = args.Get("tag")
		n, done = og.StopSessions(f), "stopped"
	case "tag":
		if len(args.Get("tag")) > viewers.MaxTag {
			return fmt.Sprintf("a tag has at most %d bytes\n", viewers.MaxTag), false
		}
		n, done = og.TagSessions(f, args.Get("tag")), "tagged"
	case "invalidate":
		n, done = og.InvalidateSessions(f.App, f.Stream), "asked about again"
	}
	if n == 0 {
		return "there is no such session\n", false
	}
	return fmt.Sprintf("%d %s\n", n, done), true
}

// sessionTable shows sessions, one a line.
func sessionTable(all []origin.Session) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range all {
		tags := ""
		for _, t := range s.Tags {
			tags += "[" + t + "]"
		}
		fmt.Fprintf(w, "%d\t%s/%s\t%s\t%s\t%s\t%d\t%s\n", s.ID, s.App, s.Stream, s.Address, strings.Join(s.Protocols, ","),
			time.Since(s.Began).Round(time.Second), s.Sent, tags)
	}
	_ = w.Flush() // into memory
	return b.String()
}
