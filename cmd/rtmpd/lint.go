package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/internal/lint"
)

// maxLint is how long a stream may be followed.
const maxLint = 24 * time.Hour

// newLint makes the command that examines what a server delivers.
func newLint() *cobra.Command {
	var asJSON bool
	duration := 30 * time.Second
	cmd := &cobra.Command{
		Use: "lint URL", Short: "Examine an HLS playlist or DASH manifest of any server, its updates and its segments",
		Long: `Load a playlist or manifest and what it names, as a player does, follow its
updates and hold all of it against RFC 8216, its second edition (rfc8216bis) and
ISO 23009-1. Each finding names the clause, the line and what players do about it.
A violated MUST makes it exit with 1.`,
		Example: `  rtmpd lint https://example.com/live/test.m3u8
  rtmpd lint -duration 10m -json http://localhost:8080/live/test.m3u8`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{errors.New("lint wants the URL of a playlist or manifest")}
			}
			if u, err := url.Parse(args[0]); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				return usage{fmt.Errorf("%q is no URL as https://example.com/live/test.m3u8", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if duration <= 0 || duration > maxLint {
				return usage{fmt.Errorf("-duration is more than nothing and at most a day, as 30s")}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runLint(ctx, cmd.OutOrStdout(), args[0], duration, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().Var((*durationFlag)(&duration), "duration", "`time` for which a live stream is followed")
	return cmd
}

// runLint examines and prints. What was found before an interrupt is printed, too.
func runLint(ctx context.Context, out io.Writer, at string, duration time.Duration, asJSON bool) error {
	o := lint.Options{URL: at, Duration: duration, UserAgent: "rtmpd-lint/" + version()}
	clear := func() {}
	if term.IsTerminal(os.Stderr.Fd()) {
		o.Progress = func(p lint.Progress) { showProgress(os.Stderr, p, duration) }
		clear = func() { fmt.Fprint(os.Stderr, "\r\x1b[K") }
	}
	report, err := lint.Run(ctx, o)
	clear()
	if report == nil {
		return fmt.Errorf("lint: %w", err)
	}
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(report)
	} else {
		err = report.Write(out)
	}
	if err == nil && report.Violated(lint.Must) > 0 {
		return failed{exitError}
	}
	return err
}

// showProgress rewrites one line of a terminal.
func showProgress(w io.Writer, p lint.Progress, duration time.Duration) {
	fmt.Fprintf(w, "\r\x1b[K%.0f of %.0f s: %d updates, %d segments, %.1f MB; %d MUST, %d other findings",
		p.Elapsed.Seconds(), duration.Seconds(), p.Checked.Updates, p.Checked.Segments, float64(p.Checked.Bytes)/1e6, p.Must, p.Should)
}
