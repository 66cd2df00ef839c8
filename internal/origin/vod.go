package origin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/vod"
)

const whyNoVOD = "the application has no vod block any more"

// CheckPlayName says why name can't be that of anything to play.
func (a *Application) CheckPlayName(name string) error {
	err := value.ValidStreamName(name)
	if err != nil && a.rules.Load().cfg.VOD == nil {
		err = value.ValidStreamName(value.WildcardName(name))
	}
	if err == nil || a.rules.Load().cfg.VOD == nil {
		if err != nil {
			err = errors.New("bad stream name: " + err.Error())
		}
		return err
	}
	return vod.CheckName(name)
}

// library is where the application's files are; nil: it has none.
func (a *Application) library(cfg *config.Application) *vod.Library {
	if cfg.VOD == nil {
		return nil
	}
	return &vod.Library{
		Sources: cfg.VOD.Path, TempPath: string(cfg.VOD.TempPath), LocalPath: string(cfg.VOD.LocalPath),
		Fetcher: a.origin.fetcher,
	}
}

// fileRequest is what r asks a library for.
func (r *PlayRequest) fileRequest(name string) vod.Request {
	return vod.Request{Name: name, Prefix: vod.Format(r.Prefix), Args: r.Args, RawArgs: r.RawArgs, Address: r.Address.String(), Fetching: r.Fetching, Away: r.Away}
}

// isFile reports whether a file is played, and no stream. A stream that is there
// comes first. Of the names that the configuration keeps for streams the files are
// not looked for.
func (a *Application) isFile(cfg *config.Application, name string) bool {
	if cfg.VOD == nil {
		return false
	}
	return !cfg.Live || !a.HasStream(name) && !a.named(name)
}

// openFile gives p the file that r asks for.
func (a *Application) openFile(ctx context.Context, r *PlayRequest, name string, p *Playing, cfg *config.Application) error {
	file, path, err := a.library(cfg).Open(ctx, r.fileRequest(name))
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled) && (ctx.Err() != nil || r.Away()):
		return ErrGone
	case errors.Is(err, vod.ErrNotFound) && cfg.Live && len(cfg.Pulls) > 0 && value.ValidStreamName(name) == nil:
		return a.join(name, p, cfg) // another server may have it
	case errors.Is(err, vod.ErrNotFound):
		if err != vod.ErrNotFound { //nolint:errorlint // is there more to say?
			r.Log.Warn("file can't be opened", zap.String("stream", name), zap.Error(err))
		}
		return &Refusal{RuleNoStream, "Video on demand stream not found"} // nginx-rtmp's words
	default:
		return &Refusal{RuleDenied, err.Error()}
	}
	p.file = file
	if err := a.joinFile(name, path, p, cfg); err != nil {
		file.Close()
		p.file = nil
		return err
	}
	return nil
}

// joinFile makes p one of the players of the file path.
func (a *Application) joinFile(name, path string, p *Playing, cfg *config.Application) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return &Refusal{RuleDenied, errAppGone.Error()}
	}
	p.source = a.sourceOfPlayer(p.addr, cfg)
	set, rate := a.files[path], fileRate(p.file)
	if p.source != localSource {
		n, near := 1, 1
		if set != nil {
			n += len(set.members) - set.from[localSource]
			near += set.from[p.source]
		}
		if err := checkRoom(roomOf(cfg), n, near); err != nil {
			return err
		}
		if cfg.MaxBandwidth > 0 && rate*int64(n) > int64(cfg.MaxBandwidth) {
			return &Refusal{RuleDenied, fmt.Sprintf("max_bandwidth = %s reached: %d times the file's %d kb/s would be more",
				cfg.MaxBandwidth, n, rate/1000)}
		}
	}
	seat, err := a.seat(p.source, rate, &a.svc.scope)
	if err != nil {
		return err
	}
	if set == nil {
		set = newPlayerSet(path)
		a.files[path] = set
	}
	p.name, p.seat = name, seat
	set.add(p)
	return nil
}

// fileRate is a file's bit rate; 0: not known.
func fileRate(f vod.File) int64 {
	if ms := int64(f.Duration()); ms > 0 {
		return f.Size() * 8 * 1000 / ms
	}
	return 0
}

// playedFiles shows the files that are played, for stat.
func (a *Application) playedFiles(now time.Time) (out []api.Stream) {
	a.mu.Lock()
	players := make(map[*playerSet][]*Playing, len(a.files))
	for _, set := range a.files {
		players[set] = slices.Collect(maps.Keys(set.members))
	}
	a.mu.Unlock()
	for set, all := range players {
		file := api.Stream{Name: set.name, Age: now.Sub(set.opened), Active: true}
		for _, p := range all {
			d := p.player.Describe()
			c := client(d, now)
			c.Timestamp, c.Active = d.Timestamp, d.Playing
			file.Clients = append(file.Clients, c)
		}
		slices.SortFunc(file.Clients, func(x, y api.Client) int { return cmp.Compare(y.ID, x.ID) })
		out = append(out, file)
	}
	slices.SortFunc(out, func(x, y api.Stream) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// leaveFile takes p out of the players of its file, which it closes.
func (a *Application) leaveFile(p *Playing) {
	p.file.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	p.set.remove(p)
	if len(p.set.members) == 0 {
		delete(a.files, p.set.name)
	}
}
