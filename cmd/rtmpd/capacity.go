package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/capacity"
	"github.com/rtmpd/rtmpd/internal/measure"
)

func newBench(o *options) *cobra.Command {
	long, raw := 20*time.Second, false
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure what rtmpd takes on this machine, for rtmpd calc", Args: noArgs,
		Long: `Starts an rtmpd of its own on 127.0.0.1, publishes test cards to it, plays and
fetches them, and measures what it takes for a gigabyte, a request, a viewer. It
stops by itself, touches no running instance, and keeps the figures in the state
directory: rtmpd calc reckons with them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if long < measure.MinLong || long > 10*time.Minute {
				return usage{fmt.Errorf("-for wants a time from %s to 10m", measure.MinLong)}
			}
			return runBench(cmd, o, long, raw)
		},
	}
	cmd.Flags().Var((*durationFlag)(&long), "for", "how `long` it takes, about")
	cmd.Flags().BoolVar(&raw, "json", false, "print the figures as JSON")
	return cmd
}

func runBench(cmd *cobra.Command, o *options, long time.Duration, raw bool) error {
	dir, err := benchDir(o)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	c, err := measure.Run(ctx, measure.Options{
		Command: []string{self}, Long: long,
		Say: func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), "rtmpd bench:", s) },
	})
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	c.Version = version()
	if raw {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		if err := e.Encode(c); err != nil {
			return err
		}
	} else {
		fmt.Fprint(cmd.OutOrStdout(), benchText(&c))
	}
	path, err := c.Write(dir)
	if err != nil {
		return fmt.Errorf("bench: the figures can't be kept: %w", err)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "kept in", path)
	return nil
}

func benchText(c *capacity.Constants) string {
	return fmt.Sprintf(`%s, %d cores
CPU seconds of one core for each GB:
  received and packaged as HLS  %6.2f
  sent to RTMP players          %6.2f
  sent to HTTP viewers          %6.2f
CPU seconds for a million requests: %.1f
Memory: %d MB at first, %d KB for each stream besides its media, %d KB for each player, %d KB for each viewer
`, c.Machine, c.Cores, c.IngestCPU, c.PlayerCPU, c.ViewerCPU, c.RequestCPU,
		c.BaseMemory/1e6, c.StreamMemory/1e3, c.PlayerMemory/1e3, c.ViewerMemory/1e3)
}

// benchDir is the state directory of -c.
func benchDir(o *options) (string, error) {
	l, err := newLoader(o)
	if err != nil {
		return "", err
	}
	cfg, _, _ := l.load(config.LoadOptions{Check: true})
	if cfg == nil || cfg.StateDir == "" {
		return config.DefaultStateDir(l.env), nil
	}
	return string(cfg.StateDir), nil
}

func newCalc(o *options) *cobra.Command {
	p := capacity.Plan{Streams: 1, Mbps: 2.5, Fragment: 5 * time.Second, Keyframe: 2 * time.Second}
	raw := false
	cmd := &cobra.Command{
		Use: "calc", Short: "Say what CPU, memory, bandwidth and storage so many streams and viewers take", Args: noArgs,
		Example: `  rtmpd calc -streams 50 -mbps 2 -viewers 600`,
		Long: `Says what so many streams and viewers take, from figures that rtmpd bench measured
on this machine, or else from those of rtmpd's own test machine.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.Check(); err != nil {
				return usage{err}
			}
			dir, err := benchDir(o)
			if err != nil {
				return err
			}
			c, measured, err := capacity.Read(dir)
			if err != nil && !errors.Is(err, os.ErrPermission) {
				return err
			}
			if !raw {
				for _, line := range capacity.Sentences(p, &c, measured) {
					fmt.Fprintln(cmd.OutOrStdout(), line)
				}
				return nil
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(struct {
				Plan       capacity.Plan      `json:"plan"`
				Need       capacity.Need      `json:"need"`
				Measured   bool               `json:"measured"`
				Constants  capacity.Constants `json:"constants"`
				MistServer capacity.Mist      `json:"mistserver"`
			}{p, c.Need(p), measured, c, capacity.MistServer(p)})
		},
	}
	f := cmd.Flags()
	f.IntVar(&p.Streams, "streams", p.Streams, "how `many` streams are published")
	f.Float64Var(&p.Mbps, "mbps", p.Mbps, "the bit rate of each, in `Mb/s`")
	f.IntVar(&p.Viewers, "viewers", 0, "how `many` watch over HTTP, all streams together")
	f.IntVar(&p.Players, "players", 0, "how `many` watch over RTMP, all streams together")
	f.Var((*durationFlag)(&p.Fragment), "fragment", "the `length` of a fragment of HLS")
	f.Var((*durationFlag)(&p.Keyframe), "keyframe", "the keyframe `interval` of the encoders")
	f.Var((*durationFlag)(&p.Recorded), "recorded", "how `much` of each stream is kept, as 24h")
	f.BoolVar(&raw, "json", false, "print the sums as JSON")
	return cmd
}
