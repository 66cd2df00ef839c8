package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/hcl/v2"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/control"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/server"
)

// An instance is the running server and what steers it: signals, the control
// socket and the watcher all come down to the same few methods.
type instance struct {
	load   *loader
	server *server.Server
	logs   *logOutput
	log    *zap.Logger
	notify notifier
	hold   *listen.Sockets    // listening sockets that the service manager keeps
	stop   context.CancelFunc // ends run: a stop
	quit   func()             // starts a drain that ends in a stop

	reloading sync.Mutex      // one reload at a time; guards what follows
	warned    map[string]bool // warnings of the last good configuration
	failing   time.Time       // since when none was good; zero: the last one was

	mu      sync.Mutex
	cfg     *config.Config // the last good one
	reading config.Reading // of the last one that was read, good or bad
}

// run serves until a signal or command stops it.
func run(ctx context.Context, o *options) error {
	l, err := newLoader(o)
	if err != nil {
		return err
	}
	if o.config == "" && o.service.root && l.env["STATE_DIRECTORY"] == "" && o.service.installed() {
		return errByHand
	}
	cfg, files, diags := l.load(config.LoadOptions{})
	report(os.Stderr, files, diags)
	if diags.HasErrors() {
		return failed{exitError}
	}
	return serve(ctx, l, cfg, server.Options{}, nil)
}

// errByHand is for root at a terminal: it would make keys of its own, and files that
// the service can't write.
var errByHand = errors.New(`rtmpd is installed as a service, which runs as another user:
  systemctl start rtmpd       starts it (systemctl status rtmpd says how it is)
  rtmpd -c FILE               runs another configuration by hand
Nothing was started: the service could not write what root leaves behind`)

// gcPercent is GOGC unless the environment says otherwise. A stream's memory is
// mostly its newest group of pictures, which the collector only has to count:
// with 300 publishers of 2.65 Mb/s and HLS, 50 in place of 100 takes 0.78 in
// place of 1.45 MB a stream and no CPU that could be measured.
const gcPercent = 50

// serve runs cfg with the options, of which it sets those that are the same for all.
// ready, if any, is called once everything listens.
func serve(ctx context.Context, l *loader, cfg *config.Config, opts server.Options, ready func(*server.Server)) error {
	logs, err := newLog(cfg.Log)
	if err != nil {
		return err
	}
	defer logs.Close()
	checkTimezone(logs.logger, os.Getenv("TZ"))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sig := make(chan os.Signal, 4) // from the start on: a TERM while starting is obeyed too
	signal.Notify(sig, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Stop(sig)
	opts.Log, opts.Level, opts.Version, opts.Built = logs.logger, logs.level, version(), built()
	opts.Announce = func(line string) { fmt.Fprintln(os.Stderr, line) }
	in := &instance{load: l, logs: logs, log: logs.logger, cfg: cfg, reading: cfg.Reading, stop: stop, notify: newNotifier()}
	in.inherit()
	if opts.Bind == nil {
		opts.Bind = in.hold.Bind
	}
	in.server = server.New(opts)
	in.quit = sync.OnceFunc(func() {
		go func() {
			in.server.Drain(ctx)
			stop()
		}()
	})
	socket := control.Socket(string(cfg.RuntimeDir), config.AbsPath(l.path))
	wait, err := control.Serve(ctx, socket, in.verbs())
	switch {
	case errors.Is(err, control.ErrRunning):
		return err
	case err != nil: // a directory that can't be trusted stops no stream
		in.log.Error("no control socket: rtmpd reload, stop, plan, kick and top can't reach this server", zap.Error(err))
	default:
		defer wait()
	}
	defer stop()
	if _, err := in.server.Apply(cfg); err != nil {
		return errors.Join(err, in.server.Shutdown())
	}
	if err := in.server.AskStart(ctx); err != nil {
		return errors.Join(err, in.server.Shutdown())
	}
	for _, unit := range in.hold.Unused() {
		in.log.Warn("a socket that the service manager listens on is not used: no listen names its address", zap.String("socket", unit))
	}
	in.log.Info("rtmpd started", zap.String("version", version()), zap.String("config", configName(l.path)))
	in.notify.send("READY=1")
	if ready != nil {
		ready(in.server)
	}
	in.untilStopped(ctx, sig)
	in.mu.Lock()
	timeout := in.cfg.ShutdownTimeout
	in.mu.Unlock()
	in.notify.stopping(timeout)
	in.hold.Stay()
	in.log.Info("stopping")
	if err := in.server.Shutdown(); err != nil {
		return err
	}
	in.log.Info("stopped")
	return nil
}

// untilStopped handles signals and the watcher until ctx ends.
func (in *instance) untilStopped(ctx context.Context, sig <-chan os.Signal) {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hup := make(chan struct{}, 1)
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				in.reload(ctx, "SIGHUP", false)
			}
		}
	})
	if in.load.path != "" {
		running.Go(func() { in.watch(ctx) })
	}
	running.Go(func() { in.inform(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-sig:
			switch s {
			case syscall.SIGHUP:
				select {
				case hup <- struct{}{}:
				default: // one that begins later is waiting already
				}
			case syscall.SIGUSR1:
				in.reopen()
			case syscall.SIGQUIT:
				in.log.Info("draining: no new publishers; stopping when the last stream has ended")
				in.quit()
			default:
				return
			}
		}
	}
}

// watch reloads when files change, until ctx ends.
func (in *instance) watch(ctx context.Context) {
	w := &config.Watcher{
		Seen: func() config.Reading {
			in.mu.Lock()
			defer in.mu.Unlock()
			return in.reading
		},
		Changed:  func() { in.reload(ctx, "file changed", true) },
		Debounce: config.Still, Interval: config.LookInterval,
		Blind: func(err error) {
			in.log.Warn("the system tells of no changed files: they are looked at every few seconds", zap.Error(err))
		},
	}
	_ = w.Run(ctx) // ends with ctx
}

// reload is the one way a running configuration changes. It says for a person
// what happened. quiet reloads (of the watcher) that change nothing log nothing.
func (in *instance) reload(ctx context.Context, why string, quiet bool) (text string, ok bool) {
	in.reloading.Lock()
	defer in.reloading.Unlock()
	in.notify.reloading()
	defer in.notify.send("READY=1")
	in.mu.Lock()
	running, last := in.cfg, in.reading
	in.mu.Unlock()
	cfg, files, diags, err := config.LoadStill(ctx, last, running.Reading, func() (*config.Config, config.Files, hcl.Diagnostics) {
		return in.load.load(config.LoadOptions{Previous: running})
	})
	switch {
	case ctx.Err() != nil:
		return "the server is stopping\n", false
	case err != nil:
		return in.rejected(why, err), false
	}
	in.mu.Lock()
	in.reading = cfg.Reading
	in.mu.Unlock()
	var buf bytes.Buffer
	report(&buf, files, diags)
	if diags.HasErrors() {
		for _, d := range diags {
			in.log.Error("configuration not reloaded", zap.String("finding", api.FindingReloadFailed), zap.String("cause", why), zap.String("err", config.OneLine(d)))
		}
		in.failed(errors.New(config.OneLine(firstError(diags))))
		return buf.String() + staysAsItIs, false
	}
	plan, err := in.server.Apply(cfg)
	if err != nil {
		return buf.String() + in.rejected(why, err), false
	}
	in.mu.Lock()
	in.cfg = cfg
	in.mu.Unlock()
	in.logWarnings(why, diags, !quiet || !plan.Empty())
	in.good(why)
	if plan.Empty() {
		if !quiet {
			in.log.Info("configuration reloaded: no change", zap.String("cause", why))
		}
		return buf.String() + noChange, true
	}
	in.log.Info("configuration reloaded", zap.String("cause", why), zap.String("changes", plan.Summary()))
	return buf.String() + plan.Text(), true
}

const staysAsItIs = "the running configuration stays as it is\n"

// rejected logs why a new configuration is not taken.
func (in *instance) rejected(why string, err error) string {
	in.log.Error("configuration not reloaded", zap.String("finding", api.FindingReloadFailed), zap.String("cause", why), zap.Error(err))
	in.failed(err)
	return err.Error() + "\n" + staysAsItIs
}

func (in *instance) failed(err error) {
	in.server.Loaded(err)
	if in.failing.IsZero() {
		in.failing = time.Now()
	}
}

// good logs a valid configuration after an invalid one.
func (in *instance) good(why string) {
	if in.failing.IsZero() {
		return
	}
	in.log.Info("the configuration is good again", zap.String("cause", why), zap.Int64("dur_ms", time.Since(in.failing).Milliseconds()))
	in.failing = time.Time{}
}

// logWarnings logs the warnings of a good configuration: all, or those that the one
// before did not have. The server logs those about keys files itself.
func (in *instance) logWarnings(why string, diags hcl.Diagnostics, all bool) {
	before := in.warned
	in.warned = make(map[string]bool)
	for _, d := range diags {
		text := config.OneLine(d)
		in.warned[text] = true
		if !config.KeepsKeys(d) && (all || !before[text]) {
			in.log.Warn("configuration", zap.String("cause", why), zap.String("warning", text))
		}
	}
}

func firstError(diags hcl.Diagnostics) *hcl.Diagnostic {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return d
		}
	}
	return nil
}

// plan returns what a reload would do, of the configuration or of the draft.
func (in *instance) plan(draft config.Draft) (text string, ok bool) {
	in.mu.Lock()
	running := in.cfg
	in.mu.Unlock()
	o := config.LoadOptions{Previous: running}
	cfg, files, diags := in.load.load(o)
	if len(draft.Names) > 0 {
		o.Env = in.load.env
		cfg, files, diags = config.LoadDraft(in.load.path, draft, o)
	}
	var buf bytes.Buffer
	report(&buf, files, diags)
	if diags.HasErrors() {
		return buf.String(), false
	}
	plan := in.server.Plan(cfg)
	text = noChange
	if !plan.Empty() {
		text = plan.Text()
	}
	for _, line := range in.server.APIChanges(cfg) {
		text += line + "\n"
	}
	return text, true
}

// kick ends the publisher of a stream and keeps it out for a while.
func (in *instance) kick(app, stream, long string) (text string, ok bool) {
	d, err := value.ParseDuration(long)
	if err != nil {
		return fmt.Sprintf("-for: %s\n", err), false
	}
	n := in.server.Kick(app, stream, d)
	switch {
	case n == 0:
		return fmt.Sprintf("nobody publishes %s/%s\n", app, stream), false
	case d > 0:
		return fmt.Sprintf("%s/%s: kicked, and kept out for %s\n", app, stream, value.FormatDuration(d)), true
	}
	return fmt.Sprintf("%s/%s: kicked; it may come back at once (-for 10m keeps it out)\n", app, stream), true
}

// key is the kept key of a holder.
func (in *instance) key(app, holder string) (text string, ok bool) {
	in.mu.Lock()
	running := in.cfg
	in.mu.Unlock()
	app, err := keptBy(running, app, holder)
	if err == nil {
		text, err = origin.KeptKey(string(running.StateDir), app, holder)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = notMade(holder)
	}
	if err != nil {
		return err.Error() + "\n", false
	}
	return text + "\n", true
}

func (in *instance) reopen() (text string, ok bool) {
	if err := errors.Join(in.logs.Reopen(), in.server.ReopenLogs()); err != nil {
		in.log.Error("reopen logs", zap.Error(err))
		return err.Error() + "\n", false
	}
	return "logs reopened\n", true
}

func (in *instance) verbs() control.Verbs {
	return control.Verbs{
		"reload": func(ctx context.Context, _ url.Values) (string, bool) { return in.reload(ctx, "rtmpd reload", false) },
		"plan": func(_ context.Context, args url.Values) (string, bool) {
			return in.plan(config.Draft{Names: args["name"], Texts: args["text"]})
		},
		"reopen": func(context.Context, url.Values) (string, bool) { return in.reopen() },
		"kick": func(_ context.Context, args url.Values) (string, bool) {
			return in.kick(args.Get("app"), args.Get("stream"), args.Get("for"))
		},
		"push": func(_ context.Context, args url.Values) (string, bool) {
			return in.push(args.Get("do"), args.Get("app"), args.Get("stream"), args.Get("push"))
		},
		"key": func(_ context.Context, args url.Values) (string, bool) {
			return in.key(args.Get("app"), args.Get("holder"))
		},
		"sessions": func(_ context.Context, args url.Values) (string, bool) { return in.sessions(args) },
		"token":    func(_ context.Context, args url.Values) (string, bool) { return in.token(args) },
		"health": func(context.Context, url.Values) (string, bool) {
			h := in.server.Health()
			return h.Text(), h.OK
		},
		"snapshot": func(context.Context, url.Values) (string, bool) { return in.snapshot() },
		"stop": func(context.Context, url.Values) (string, bool) {
			in.stop()
			return "stopping\n", true
		},
		"quit": func(context.Context, url.Values) (string, bool) {
			in.quit()
			return "draining: stops when the last stream has ended\n", true
		},
	}
}
