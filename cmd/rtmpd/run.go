package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
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
	stop   context.CancelFunc // ends run: a stop
	quit   func()             // starts a drain that ends in a stop

	mu  sync.Mutex
	cfg *config.Config // the last good one
}

// run serves until it is told to stop.
func run(ctx context.Context, o *options) error {
	l, err := newLoader(o)
	if err != nil {
		return err
	}
	cfg, files, diags := l.load(config.LoadOptions{})
	report(os.Stderr, files, diags)
	if diags.HasErrors() {
		return failed{exitError}
	}
	return serve(ctx, l, cfg, nil, nil)
}

// gcPercent is GOGC unless the environment says otherwise. A stream's memory is
// mostly its newest group of pictures, which the collector only has to count:
// with 300 publishers of 2.65 Mb/s and HLS, 50 in place of 100 takes 0.78 in
// place of 1.45 MB a stream and no CPU that could be measured.
const gcPercent = 50

// serve runs cfg. page, if any, answers player locations; ready, if any, is
// called once everything listens.
func serve(ctx context.Context, l *loader, cfg *config.Config, page http.Handler, ready func(*server.Server)) error {
	logs, err := newLog(cfg.Log)
	if err != nil {
		return err
	}
	defer logs.Close()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sig := make(chan os.Signal, 4) // from the start on: a TERM while starting is obeyed too
	signal.Notify(sig, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Stop(sig)
	in := &instance{
		load: l, logs: logs, log: logs.logger, cfg: cfg, stop: stop, notify: newNotifier(),
		server: server.New(server.Options{
			Log: logs.logger, Level: logs.level, Version: version(), Built: built(), Player: page,
			Announce: func(line string) { fmt.Fprintln(os.Stderr, line) },
		}),
	}
	in.quit = sync.OnceFunc(func() {
		go func() {
			in.server.Drain(ctx)
			stop()
		}()
	})
	socket := server.ControlSocket(cfg.RuntimeDir, config.AbsPath(l.path))
	wait, err := server.ServeControl(ctx, socket, in.verbs())
	if err != nil {
		return err
	}
	defer wait()
	defer stop()
	if _, err := in.server.Apply(cfg); err != nil {
		return errors.Join(err, in.server.Shutdown())
	}
	in.log.Info("rtmpd started", zap.String("version", version()), zap.String("config", configName(l.path)))
	in.notify.send("READY=1")
	if ready != nil {
		ready(in.server)
	}
	in.untilStopped(ctx, sig)
	in.notify.send("STOPPING=1")
	in.log.Info("stopping")
	if err := in.server.Shutdown(); err != nil {
		return err
	}
	in.log.Info("stopped")
	return nil
}

const watchDebounce = 200 * time.Millisecond

// untilStopped obeys signals and the watcher until ctx ends.
func (in *instance) untilStopped(ctx context.Context, sig <-chan os.Signal) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watchCtx, stopWatch := context.WithCancel(ctx)
	defer stopWatch()
	if in.load.path != "" {
		watching.Go(func() {
			err := config.Watch(watchCtx, in.watched, watchDebounce, func() { in.reload("file changed", true) })
			if err != nil && watchCtx.Err() == nil {
				in.log.Error("the configuration is not watched: reload by SIGHUP or rtmpd reload", zap.Error(err))
			}
		})
	}
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-sig:
			switch s {
			case syscall.SIGHUP:
				in.reload("SIGHUP", false)
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

func (in *instance) watched() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.cfg.Files
}

// reload is the one way a running configuration changes. It says for a person
// what happened. quiet reloads (of the watcher) that change nothing log nothing.
func (in *instance) reload(why string, quiet bool) (text string, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.notify.reloading()
	defer in.notify.send("READY=1")
	cfg, files, diags := in.load.load(config.LoadOptions{Previous: in.cfg})
	var buf bytes.Buffer
	report(&buf, files, diags)
	if diags.HasErrors() {
		in.server.Loaded(false)
		for _, d := range diags {
			in.log.Error("configuration not reloaded", zap.String("cause", why), zap.String("err", config.OneLine(d)))
		}
		return buf.String() + "the running configuration stays as it is\n", false
	}
	plan, err := in.server.Apply(cfg)
	if err != nil {
		in.log.Error("configuration not reloaded", zap.String("cause", why), zap.Error(err))
		return fmt.Sprintf("%s%s\nthe running configuration stays as it is\n", buf.String(), err), false
	}
	in.cfg = cfg
	if plan.Empty() {
		if !quiet {
			in.log.Info("configuration reloaded: no change", zap.String("cause", why))
		}
		return buf.String() + noChange, true
	}
	in.log.Info("configuration reloaded", zap.String("cause", why), zap.String("changes", plan.Summary()))
	return buf.String() + plan.Text(), true
}

// plan says what reload would do.
func (in *instance) plan() (text string, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	cfg, files, diags := in.load.load(config.LoadOptions{Previous: in.cfg})
	var buf bytes.Buffer
	report(&buf, files, diags)
	if diags.HasErrors() {
		return buf.String(), false
	}
	plan := in.server.Plan(cfg)
	if plan.Empty() {
		return noChange, true
	}
	return plan.Text(), true
}

func (in *instance) reopen() (text string, ok bool) {
	if err := errors.Join(in.logs.Reopen(), in.server.ReopenLogs()); err != nil {
		in.log.Error("reopen logs", zap.Error(err))
		return err.Error() + "\n", false
	}
	return "logs reopened\n", true
}

func (in *instance) verbs() server.Verbs {
	return server.Verbs{
		"reload": func(context.Context) (string, bool) { return in.reload("rtmpd reload", false) },
		"plan":   func(context.Context) (string, bool) { return in.plan() },
		"reopen": func(context.Context) (string, bool) { return in.reopen() },

		"snapshot": func(context.Context) (string, bool) { return in.snapshot() },
		"stop": func(context.Context) (string, bool) {
			in.stop()
			return "stopping\n", true
		},
		"quit": func(context.Context) (string, bool) {
			in.quit()
			return "draining: stops when the last stream has ended\n", true
		},
	}
}
