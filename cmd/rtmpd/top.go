package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/control"
	"github.com/rtmpd/rtmpd/internal/top"
)

// topTimeout is for one look at the server: a person waits for it.
const topTimeout = 10 * time.Second

func newTop(o *options) *cobra.Command {
	var once, raw bool
	interval := time.Second
	cmd := &cobra.Command{
		Use: "top", Short: "Show publishers, players, viewers and requests of the running instance of -c, live", Args: noArgs,
		Long: `Show what the running instance of -c is doing: publishers with bit rate, frame
rate, keyframe interval and health, RTMP players and HTTP viewers, requests by
status and path. With no terminal, or with -once, it prints one frame and exits.
It looks twice for that, an interval apart: rates are differences.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := socketOf(o)
			if err != nil {
				return err
			}
			if interval <= 0 {
				return usage{errors.New("-interval wants more than nothing, as 1s")}
			}
			if raw {
				text, err := askSnapshot(cmd.Context(), path)
				if err == nil {
					fmt.Fprintln(cmd.OutOrStdout(), top.JSON(text))
				}
				return err
			}
			opts := top.Options{
				Interval: interval, In: cmd.InOrStdin(), Out: cmd.OutOrStdout(),
				Source: func(ctx context.Context) (*api.Snapshot, error) { return readSnapshot(ctx, path) },
			}
			if once || !term.IsTerminal(os.Stdout.Fd()) || !term.IsTerminal(os.Stdin.Fd()) {
				return top.Once(cmd.Context(), opts)
			}
			return top.Run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print one frame of plain text and exit")
	cmd.Flags().BoolVar(&raw, "json", false, "print the snapshot that frames are made of, as JSON, and exit; durations are ns")
	cmd.Flags().Var((*durationFlag)(&interval), "interval", "`time` between two frames")
	return cmd
}

// askSnapshot returns the running server's api.Snapshot as JSON.
func askSnapshot(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, topTimeout)
	defer cancel()
	text, ok, err := control.Ask(ctx, path, "snapshot", nil)
	if err == nil && !ok {
		err = errors.New(strings.TrimSpace(text))
	}
	return text, err
}

func readSnapshot(ctx context.Context, path string) (*api.Snapshot, error) {
	text, err := askSnapshot(ctx, path)
	if err != nil {
		return nil, err
	}
	s := new(api.Snapshot)
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return s, nil
}

// snapshot answers rtmpd top.
func (in *instance) snapshot() (text string, ok bool) {
	b, err := json.Marshal(in.server.Snapshot())
	if err != nil {
		return err.Error() + "\n", false
	}
	return string(b), true
}
