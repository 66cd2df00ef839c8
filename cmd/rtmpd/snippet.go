package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/internal/snippet"
)

// newSnippet makes the command that prints what to paste elsewhere.
func newSnippet(o *options) *cobra.Command {
	kinds := snippet.Kinds()
	ladder := ""
	cmd := &cobra.Command{
		Use:   "snippet " + strings.Join(kinds, "|"),
		Short: "Print what to paste into a proxy, OBS, a page or a firewall for this configuration",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{fmt.Errorf("snippet wants one of %s", strings.Join(kinds, " "))}
			}
			return nil
		},
		ValidArgs: kinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			if ladder != "" && args[0] != snippet.Multitrack {
				return usage{fmt.Errorf("-ladder is for snippet %s", snippet.Multitrack)}
			}
			l, cfg, err := loadValid(cmd, o)
			if err != nil {
				return err
			}
			path := cmp.Or(l.path, defaultConfig+"/rtmpd.hcl")
			if ladder != "" {
				return snippet.WriteLadder(cmd.OutOrStdout(), cfg, path, ladder)
			}
			return snippet.Write(cmd.OutOrStdout(), args[0], cfg, path)
		},
	}
	cmd.Flags().StringVar(&ladder, "ladder", "", "`renditions` of obs-multitrack (default "+snippet.DefaultLadder+")")
	return cmd
}
