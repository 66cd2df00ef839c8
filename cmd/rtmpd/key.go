package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/server"
)

// showKey prints the kept key of holder. It needs to read the state directory,
// so it is for root or the service's user.
func showKey(cmd *cobra.Command, o *options, app, holder string) error {
	l, err := newLoader(o)
	if err != nil {
		return err
	}
	cfg, files, diags := l.load(config.LoadOptions{Check: true})
	if diags.HasErrors() {
		report(cmd.ErrOrStderr(), files, diags)
		return failed{exitError}
	}
	var apps []string
	stated := false
	for i := range cfg.RTMP {
		for _, a := range cfg.RTMP[i].Applications {
			for _, k := range a.StreamKeys {
				if k.Holder != holder || app != "" && a.Name != app {
					continue
				}
				if !k.Generated {
					stated = true
					continue
				}
				apps = append(apps, a.Name)
			}
		}
	}
	switch {
	case len(apps) > 1:
		return usage{fmt.Errorf("several applications have a holder %q: say which with --app (%s)", holder, strings.Join(apps, ", "))}
	case len(apps) == 0 && stated:
		return fmt.Errorf("the key of %q is stated in the configuration: rtmpd keeps none", holder)
	case len(apps) == 0:
		return fmt.Errorf("no stream_key %q in %s", holder, configName(l.path))
	}
	secret, err := server.KeptKey(string(cfg.StateDir), apps[0], holder)
	if errors.Is(err, fs.ErrNotExist) && l.env["STATE_DIRECTORY"] == "" && string(cfg.StateDir) == config.DefaultStateDir(l.env) {
		secret, err = server.KeptKey(o.service.state, apps[0], holder) // nobody said where: the service's
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the key of %q is not made yet: rtmpd makes it when it starts", holder)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), secret)
	return nil
}

func hashKey(cmd *cobra.Command) error {
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	secret := strings.TrimRight(line, "\r\n")
	if err := value.ValidSecret(secret); err != nil {
		return fmt.Errorf("this key would not work: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%x\n", sha256.Sum256([]byte(secret)))
	return nil
}
