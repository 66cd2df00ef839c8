package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/control"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// showKey prints the kept key of holder. It asks the running instance, which may have
// another state directory than this environment names; without one it prints what is
// kept where the service keeps it, or in this user's own directory.
func showKey(cmd *cobra.Command, o *options, app, holder string) error {
	text, ok, err := ask(cmd.Context(), o, "key", url.Values{"app": {app}, "holder": {holder}})
	switch {
	case err == nil && ok:
		fmt.Fprint(cmd.OutOrStdout(), text)
		return nil
	case err == nil && text != "":
		return errors.New(strings.TrimSpace(text))
	case err != nil && !errors.Is(err, control.ErrNotRunning) && !errors.Is(err, control.ErrOlder):
		return err
	}
	l, cfg, err := loadValid(cmd, o)
	if err != nil {
		return err
	}
	app, err = keptBy(cfg, app, holder)
	if err != nil {
		return err
	}
	dirs := []string{string(cfg.StateDir)}
	if l.env["STATE_DIRECTORY"] == "" && string(cfg.StateDir) == config.DefaultStateDir(l.env) { // no directory is set
		dirs = []string{o.service.state, string(cfg.StateDir)}
	}
	for _, dir := range dirs {
		secret, err := origin.KeptKey(dir, app, holder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), secret)
		return nil
	}
	return notMade(holder)
}

func notMade(holder string) error {
	return fmt.Errorf("the key of %q is not made yet: rtmpd makes it when it starts", holder)
}

// keptBy is the application for whose holder rtmpd keeps a key; app may be empty.
func keptBy(cfg *config.Config, app, holder string) (string, error) {
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
		return "", usage{fmt.Errorf("several applications have a holder %q: say which with --app (%s)", holder, strings.Join(apps, ", "))}
	case len(apps) == 0 && stated:
		return "", fmt.Errorf("the key of %q is stated in the configuration: rtmpd keeps none", holder)
	case len(apps) == 0:
		return "", fmt.Errorf("no stream_key %q in %s", holder, configName(cfg.Path))
	}
	return apps[0], nil
}

func hashKey(cmd *cobra.Command) error {
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 4096)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if line, err = value.PlainText(line); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	secret := strings.TrimRight(string(line), "\r\n")
	if err := value.ValidSecret(secret); err != nil {
		return fmt.Errorf("this key would not work: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%x\n", sha256.Sum256([]byte(secret)))
	return nil
}
