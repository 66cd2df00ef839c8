package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/internal/nginxconf"
)

func newImport() *cobra.Command {
	var strict, stdin bool
	var out string
	cmd := &cobra.Command{
		Use: "import [-strict] [-o FILE] nginx.conf", Short: "Turn an nginx.conf with nginx-rtmp into a configuration of rtmpd",
		Long: `Reads an nginx.conf with nginx-rtmp, and what it includes, and prints the same as a
configuration of rtmpd. Standard error gets one line for each directive that has no
counterpart, is not needed, behaves better now, or wants to be looked at.`,
		Example: "  rtmpd import -o rtmpd.hcl /etc/nginx/nginx.conf",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case stdin && len(args) > 0:
				return usage{errors.New("import reads -stdin or a file, not both")}
			case !stdin && len(args) != 1:
				return usage{errors.New("import wants one file: rtmpd import /etc/nginx/nginx.conf")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "standard input"
			from := cmd.InOrStdin()
			if !stdin && args[0] != "-" {
				name = args[0]
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				defer f.Close()
				from = f
			}
			text, err := io.ReadAll(io.LimitReader(from, nginxconf.MaxFile+1))
			if err != nil {
				return err
			}
			r, err := nginxconf.Import(name, text, nginxconf.Options{})
			if err != nil {
				return err
			}
			for _, n := range r.Notes {
				fmt.Fprintln(cmd.ErrOrStderr(), n)
			}
			if out == "" || out == "-" {
				_, err = cmd.OutOrStdout().Write(r.HCL)
			} else {
				err = os.WriteFile(out, r.HCL, modeOf(name))
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", name, r.Summary())
			if strict && !r.Complete() {
				return failed{exitError}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&strict, "strict", false, "exit 1 if anything was not taken over")
	f.BoolVar(&stdin, "stdin", false, "read standard input; its includes begin in the current directory")
	f.StringVarP(&out, "output", "o", "", "write to `FILE`, not to standard output")
	return cmd
}

// modeOf is what a file made of another one may be read by: both hold stream keys of
// other servers.
func modeOf(name string) os.FileMode {
	if fi, err := os.Stat(name); err == nil {
		return fi.Mode().Perm()&0o644 | 0o600
	}
	return 0o644
}
