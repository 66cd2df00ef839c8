package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/demo"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/server"
)

type demoOptions struct {
	public     bool
	rtmp, http string
}

func newDemo() *cobra.Command {
	var d demoOptions
	cmd := &cobra.Command{
		Use: "demo", Short: "Show a live test card: rtmpd publishing to itself", Args: noArgs,
		Long: `Runs the built-in configuration on 127.0.0.1 in a directory of its own, publishes
a test card to live/demo over real RTMP, and prints what to open. It keeps
nothing. A default port that is taken is replaced by a free one.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), d) },
	}
	f := cmd.Flags()
	f.BoolVar(&d.public, "public", false, "listen on every address, not on 127.0.0.1 alone")
	f.StringVar(&d.rtmp, "rtmp", "", "RTMP `address` (default 127.0.0.1:1935, else a free port)")
	f.StringVar(&d.http, "http", "", "HTTP `address` (default 127.0.0.1:8080, else a free port)")
	return cmd
}

func runDemo(ctx context.Context, d demoOptions) error {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	dir, err := os.MkdirTemp("", "rtmpd-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	key := origin.NewKey()
	cfg, err := demoConfig(d, dir, key)
	if err != nil {
		return err
	}
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()
	local, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("the addresses of this machine: %w", err)
	}
	rtmpHosts, httpHosts := hostsOf(cfg.RTMP[0].Listen[0].Host, local), hostsOf(cfg.HTTP[0].Listen[0].Host, local)
	return serve(ctx, &loader{fixed: cfg}, cfg, server.Options{Bind: d.bind}, func(s *server.Server) {
		rtmpPort := s.Port("rtmp", cfg.RTMP[0].Listen[0])
		httpPort := s.Port("http", cfg.HTTP[0].Listen[0])
		publishing.Go(func() {
			host := rtmpHosts[len(rtmpHosts)-1]
			err := demo.Publish(ctx, fmt.Sprintf("rtmp://%s:%d/live/%s", host, rtmpPort, key), s.Log())
			if err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "rtmpd demo: the test card stopped:", err)
				cancel()
			}
		})
		fmt.Fprint(os.Stderr, demoText(httpHosts, httpPort, rtmpHosts, rtmpPort, key, dir))
	})
}

// hostsOf are the hosts by which people reach a listener on host, the ones that
// other machines can use first: for one on every address, those of the machine.
// The last one can be reached from here.
func hostsOf(host string, local []net.Addr) []string {
	ip, err := netip.ParseAddr(host)
	if host != "" && (err != nil || !ip.IsUnspecified()) {
		return []string{bracketed(host)}
	}
	var v4, v6 []string
	for _, a := range local {
		n, ok := a.(*net.IPNet)
		if !ok || !n.IP.IsGlobalUnicast() {
			continue // of the loopback, or of a link, which needs a zone
		}
		if n.IP.To4() != nil {
			v4 = append(v4, n.IP.String())
		} else {
			v6 = append(v6, bracketed(n.IP.String()))
		}
	}
	switch {
	case host == "":
		return append(append(v4, v6...), "127.0.0.1")
	case ip.Is4():
		return append(v4, "127.0.0.1")
	}
	return append(v6, "[::1]")
}

// bracketed is a host as URLs have it.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func demoText(httpHosts []string, httpPort int, rtmpHosts []string, rtmpPort int, key, dir string) string {
	var b strings.Builder
	line := func(url, what string) { fmt.Fprintf(&b, "      %-40s %s\n", url, what) }
	b.WriteString("\n  A test card is live. Open\n\n")
	for _, h := range httpHosts {
		line(fmt.Sprintf("http://%s:%d/demo.html", h, httpPort), "in a browser")
		line(fmt.Sprintf("http://%s:%d/live/demo.m3u8", h, httpPort), "in VLC or any player")
	}
	b.WriteString("\n  It is published over RTMP, as your own stream would be, to\n\n")
	for _, h := range rtmpHosts {
		fmt.Fprintf(&b, "      rtmp://%s:%d/live with the stream key %s\n", h, rtmpPort, key)
	}
	if len(httpHosts) > 1 {
		fmt.Fprintf(&b, "\n  A firewall must let the ports %d and %d through; behind a router, it must forward them.\n", rtmpPort, httpPort)
	}
	fmt.Fprintf(&b, "\n  The fragments are in %s; Ctrl-C ends the demo and removes them.\n\n", dir)
	return b.String()
}

// demoConfig is the built-in configuration with everything in dir, a key of its
// own, and the demo's page at /.
func demoConfig(d demoOptions, dir, key string) (*config.Config, error) {
	cfg, files, diags := config.Builtin(config.LoadOptions{Env: map[string]string{
		"STATE_DIRECTORY":   filepath.Join(dir, "state"),
		"RUNTIME_DIRECTORY": filepath.Join(dir, "run"),
	}})
	if diags.HasErrors() {
		report(os.Stderr, files, diags)
		return nil, errors.New("the built-in configuration is broken")
	}
	host := "127.0.0.1"
	if d.public {
		host = ""
	}
	rtmpAddr, err := demoAddress(d.rtmp, host, "1935")
	if err != nil {
		return nil, fmt.Errorf("--rtmp: %w", err)
	}
	httpAddr, err := demoAddress(d.http, host, "8080")
	if err != nil {
		return nil, fmt.Errorf("--http: %w", err)
	}
	cfg.RTMP[0].Listen = value.Addresses{rtmpAddr}
	cfg.HTTP[0].Listen = value.Addresses{httpAddr}
	cfg.RTMP[0].Applications[0].StreamKeys = []config.StreamKey{{Holder: "demo", Stream: "demo", Secret: value.Secret(key)}}
	cfg.HTTP[0].Locations = append(cfg.HTTP[0].Locations, config.Location{Path: "/", Player: &config.Player{Title: "rtmpd demo", Autoplay: true, EmbedFrom: value.Origins{"*"}}})
	return cfg, nil
}

// demoAddress returns the address of a flag, or host with the default port.
func demoAddress(flag, host, port string) (value.Address, error) {
	if flag != "" {
		return value.ParseAddress(flag)
	}
	return value.ParseAddress(net.JoinHostPort(host, port))
}

// bind listens on a. A default port that is taken is replaced by a free one, which
// the system gives: no other program can take it in between.
func (d demoOptions) bind(a value.Address) (net.Listener, error) {
	ln, err := listen.Bind(a)
	if err == nil || d.asked(a) {
		return ln, err
	}
	a.Port = 0
	return listen.Bind(a)
}

// asked reports whether a flag names the address.
func (d demoOptions) asked(a value.Address) bool {
	return slices.ContainsFunc([]string{d.rtmp, d.http}, func(flag string) bool {
		b, err := value.ParseAddress(flag)
		return err == nil && a.String() == b.String()
	})
}
