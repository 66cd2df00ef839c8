package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/control"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

// tokenOptions are what a token is to say.
type tokenOptions struct {
	app, stream string
	long        time.Duration
	from        string
	once        bool
}

func newToken(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Make links for viewers that are signed and expire",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage{fmt.Errorf("unknown command %q for \"rtmpd token\": new", args[0])}
			}
			return usage{errors.New("token wants new -stream NAME -for TIME")}
		},
	}
	t := tokenOptions{long: 24 * time.Hour}
	fresh := &cobra.Command{
		Use: "new -stream NAME [-for TIME] [-once]", Short: "Print a token that lets somebody watch a stream of an application with a tokens block",
		Long: `Prints a token for the viewers of a stream, whose application has a tokens block.
Add it to any address of the stream: …/test.m3u8?token=TOKEN, the page of a player,
rtmp://…/show/test?token=TOKEN. It is signed with the first key of the block, or
with the one that rtmpd made and keeps. A token can't be taken back: keep it short,
or change the key.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return printToken(cmd, o, t) },
	}
	f := fresh.Flags()
	f.StringVar(&t.stream, "stream", "", "the `name` of the stream, or a pattern as cam* or \"*\"")
	f.StringVar(&t.app, "app", "", "its `application`, when several have a tokens block")
	f.Var((*durationFlag)(&t.long), "for", "how `long` it is valid, as 2h or 7d")
	f.StringVar(&t.from, "from", "", "the `time` from which it is valid, as 2031-12-24T18:00:00Z; -for counts from there")
	f.BoolVar(&t.once, "once", false, "for one viewer: the first address and player that use it, and no other")
	cmd.AddCommand(fresh)
	return cmd
}

// claims returns what the token says.
func (t *tokenOptions) claims(now time.Time) (c viewtoken.Claims, err error) {
	name := value.NormalName(t.stream)
	check := value.ValidStreamName
	if value.IsPattern(name) {
		check = value.CheckPattern
	}
	switch {
	case name == "":
		return c, usage{errors.New("token new wants -stream NAME: the public name of a stream")}
	case t.long <= 0:
		return c, usage{errors.New("-for is a time, as 2h or 7d: a token that never expires can't be taken back")}
	}
	if err := check(name); err != nil {
		return c, usage{fmt.Errorf("-stream: %w", err)}
	}
	begins := now
	if t.from != "" {
		if c.NotBefore, err = value.ParseTime(t.from); err != nil {
			return c, usage{fmt.Errorf("-from: %w", err)}
		}
		begins = c.NotBefore
	}
	c.Streams, c.Expires, c.Once, c.ID = []string{name}, begins.Add(t.long), t.once, viewtoken.NewID()
	return c, nil
}

// printToken asks the running instance, which has the keys; without one it signs with what
// this user can read.
func printToken(cmd *cobra.Command, o *options, t tokenOptions) error {
	if _, err := t.claims(time.Now()); err != nil {
		return err
	}
	question := url.Values{"app": {t.app}, "stream": {t.stream}, "for": {value.FormatDuration(t.long)}, "from": {t.from}}
	if t.once {
		question.Set("once", "1")
	}
	text, ok, err := ask(cmd.Context(), o, "token", question)
	switch {
	case err == nil && ok:
		fmt.Fprint(cmd.OutOrStdout(), text)
		return nil
	case err == nil && text != "":
		return errors.New(strings.TrimSpace(text))
	case err != nil && !errors.Is(err, control.ErrNotRunning) && !errors.Is(err, control.ErrOlder):
		return err
	}
	_, cfg, err := loadValid(cmd, o)
	if err != nil {
		return err
	}
	token, err := t.sign(cfg)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), token)
	return nil
}

// sign makes the token.
func (t *tokenOptions) sign(cfg *config.Config) (string, error) {
	c, err := t.claims(time.Now())
	if err != nil {
		return "", err
	}
	app, err := appWithTokens(cfg, t.app)
	if err != nil {
		return "", err
	}
	return origin.NewToken(cfg, app, c)
}

// appWithTokens is the application that a token is for; app may be empty.
func appWithTokens(cfg *config.Config, app string) (string, error) {
	if app != "" {
		return app, nil
	}
	var apps []string
	for i := range cfg.RTMP {
		for j := range cfg.RTMP[i].Applications {
			a := &cfg.RTMP[i].Applications[j]
			for _, s := range a.WithStreams() {
				if s.Tokens != nil {
					apps = append(apps, a.Name)
					break
				}
			}
		}
	}
	switch {
	case len(apps) == 0:
		return "", fmt.Errorf("no application in %s has a tokens block: everybody may watch", configName(cfg.Path))
	case len(apps) > 1 || apps[0] == "*":
		return "", usage{fmt.Errorf("say which application with -app: %s", strings.Join(apps, ", "))}
	}
	return apps[0], nil
}

// token makes a token for somebody who may use the control socket.
func (in *instance) token(args url.Values) (text string, ok bool) {
	long, err := value.ParseDuration(args.Get("for"))
	if err != nil {
		return err.Error() + "\n", false
	}
	t := tokenOptions{app: args.Get("app"), stream: args.Get("stream"), long: long, from: args.Get("from"), once: args.Has("once")}
	in.mu.Lock()
	running := in.cfg
	in.mu.Unlock()
	token, err := t.sign(running)
	if err != nil {
		return err.Error() + "\n", false
	}
	return token + "\n", true
}
