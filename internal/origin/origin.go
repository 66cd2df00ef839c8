// Package origin is what rtmpd serves: applications, their streams, who publishes
// and who watches them, and the outputs that a stream is turned into. It knows no
// protocol. A package that speaks one hands in a Publisher or a Player:
//
//	rtmpserver ──PublishRequest──► Application.Publish ──► Publication ──► Stream ──► Output
//	rtmpserver ──PlayRequest─────► Application.Play    ──► Playing     ──► fanout.Fan
//	web        ──Visit───────────► Audience            ──► viewers of the stream
package origin

import (
	"context"
	"crypto/rand"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/quota"
	"github.com/rtmpd/rtmpd/internal/record"
	"github.com/rtmpd/rtmpd/internal/vod"
)

// Options are what an Origin is made with.
type Options struct {
	Log   *zap.Logger
	Awake *awake.Clock  // of every timer that watches a publisher or a viewer
	Hooks *hooks.Client // calls them
	Hub   *fanout.Hub   // sends streams to players
	// NextID numbers clients: connections and HTTP viewers, from 1.
	NextID func() uint64
	// WatchURL is where viewers find the playlist name below the directory path,
	// as seen by who found the server at local; empty: nowhere.
	WatchURL func(path, name string, local net.Addr) string
}

// Origin is the streams of one process.
type Origin struct {
	Options
	// ctx ends publishers and players, outputCtx the outputs after them: in this
	// order a stop loses no packet and ends no playlist.
	ctx, outputCtx context.Context
	started        time.Time
	stop           atomic.Bool

	identity    string // no other process's
	outputKinds []OutputKind
	goes, ends  Crew            // ends: of streams that end
	commands    *hooks.Commands // of exec blocks
	linger      time.Duration   // of programs of kind pull; set before the first player
	dirs        *Directories
	files       record.Store // that recorders have open
	audience    *Audience
	keptOut     keepOut
	replaced    wordSet // words that triggers have replaced
	fetcher     *vod.Fetcher
	words       guessLimit // of passphrases
	onceTokens  onceTokens // that have been used
	// refusedTokens are the refusals that the log has.
	refusedTokens recently
	services      atomic.Pointer[[]*Service] // in the order of the rtmp blocks
	epochs        atomic.Uint64              // numbers applications, and the verdicts of their hooks

	limits  atomic.Pointer[config.Limits] // of the top level; nil: none
	whole   quota.Scope                   // everybody
	sites   atomic.Pointer[[]*quota.Scope]
	limited atomic.Bool // there are limits blocks at the top level, or in an rtmp block

	attempts                  atomic.Uint64 // of pushes, for PUSH_END
	pushes                    atomic.Uint64 // numbers them
	published, played, viewed atomic.Uint64 // since the start
	fanned                    atomic.Uint64 // bytes sent to the players of names that have none now
}

// New returns an Origin without applications. ctx ends publishers and players,
// outputCtx ends the outputs.
func New(ctx, outputCtx context.Context, o Options) *Origin {
	og := &Origin{Options: o, ctx: ctx, outputCtx: outputCtx, started: time.Now(), identity: rand.Text(), dirs: newDirectories(o.Log), outputKinds: outputKinds, commands: hooks.NewCommands(o.Log), linger: pullLinger}
	og.services.Store(new([]*Service))
	og.sites.Store(new([]*quota.Scope))
	og.audience = newAudience(og)
	og.fetcher = vod.NewFetcher(ctx, og.goes.Go)
	og.goes.Go(func() { og.dirs.run(outputCtx) })
	og.goes.Go(func() { og.watchBitrates(ctx) })
	og.goes.Go(func() { og.keepRecordings(outputCtx) })
	og.goes.Go(func() { og.watchPlayers(ctx) })
	og.goes.Go(func() { og.keepSchedules(ctx) })
	og.goes.Go(func() { og.watchStreams(ctx) })
	og.goes.Go(func() { og.audience.run(ctx) })
	return og
}

// Directories are the hls.paths in use.
func (og *Origin) Directories() *Directories { return og.dirs }

// Audience counts and admits the HTTP viewers.
func (og *Origin) Audience() *Audience { return og.audience }

// Started is the moment from which the hooks' timestamps count.
func (og *Origin) Started() time.Time { return og.started }

// SetServices names the rtmp blocks of the present configuration.
func (og *Origin) SetServices(all []*Service) { og.services.Store(&all) }

// Guard prepares for a configuration that is about to be applied: from now on the
// viewers of an application whose on_play is asked over HTTP need its consent, and its
// limits count.
func (og *Origin) Guard(cfg *config.Config) {
	og.onceTokens.keepIn(string(cfg.StateDir), og.Log)
	og.audience.guard(cfg)
	og.setLimits(cfg)
}

// Stop says that the process stops: streams that end from now on keep their
// playlists for the next start.
func (og *Origin) Stop() { og.stop.Store(true) }

// Stopping reports whether Stop was called.
func (og *Origin) Stopping() bool { return og.stop.Load() }

// EndStatic ends the programs of kind static: what they publish would never end.
func (og *Origin) EndStatic() {
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			a.execs.endStatic()
		}
	}
}

// EndCommands lets the programs of events run until soft, and kills every program at
// hard. It is called after the sessions and the outputs have ended.
func (og *Origin) EndCommands(soft, hard time.Time) { og.commands.Close(soft, hard) }

// EndStreams ends the streams that a stop has left, whose outputs are done, and returns when the
// triggers have been told of all that have ended.
func (og *Origin) EndStreams() {
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			a.endAll()
		}
	}
	og.ends.Wait()
}

// Wait returns when the goroutines of the origin have ended.
func (og *Origin) Wait() {
	og.goes.Wait()
	og.ends.Wait()
}

// EachStream calls f for every stream, without a lock.
func (og *Origin) EachStream(f func(*Stream)) {
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			a.each(f)
		}
	}
}

// Busy reports whether any stream is live, waits for its publisher, or still
// closes its files.
func (og *Origin) Busy() bool {
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			if a.busy() {
				return true
			}
		}
	}
	return false
}

// Counts are events since the start.
type Counts struct {
	Published, Played, Viewed uint64
	Sent                      uint64 // bytes to the players of names that have none now
}

// Counts are what was counted so far.
func (og *Origin) Counts() Counts {
	return Counts{og.published.Load(), og.played.Load(), og.viewed.Load(), og.fanned.Load()}
}
