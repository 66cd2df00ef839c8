package origin

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// outputs are those of a stream. They belong to the stream, not to its publisher,
// and a reload touches only the one whose block changed.
type outputs struct {
	stream *Stream

	mu    sync.Mutex // guards all below
	rungs []rung     // of a ladder; empty: the stream is none
	all   map[outputKey]*supervised
	// last are closed when the output of that block before has ended: of the stream
	// of that name before, or with an older block.
	last map[outputKey]<-chan struct{}
	done sync.WaitGroup
}

// An outputKey tells the outputs of a stream apart.
type outputKey struct{ kind, label string }

func newOutputs(st, before *Stream) *outputs {
	o := &outputs{stream: st, all: make(map[outputKey]*supervised), last: make(map[outputKey]<-chan struct{})}
	if before != nil {
		before.outputs.mu.Lock()
		defer before.outputs.mu.Unlock()
		maps.Copy(o.last, before.outputs.last)
		for key, s := range before.outputs.all {
			o.last[key] = s.ended
		}
	}
	return o
}

// wait blocks until every output has ended.
func (o *outputs) wait() { o.done.Wait() }

// apply starts, changes and stops outputs so that they are what cfg and on_publish
// say.
func (o *outputs) apply(cfg *config.Application) {
	o.mu.Lock()
	defer o.mu.Unlock()
	cfg = o.stream.withAnswer(cfg)
	maps.DeleteFunc(o.last, func(_ outputKey, ended <-chan struct{}) bool {
		select {
		case <-ended:
			return true // nobody has to wait for it
		default:
			return false
		}
	})
	wanted := make(map[outputKey]bool)
	for i := range o.stream.app.origin.outputKinds {
		kind := &o.stream.app.origin.outputKinds[i]
		for label, block := range o.blocks(kind, cfg) {
			key := outputKey{kind.Name, label}
			wanted[key] = true
			s := o.all[key]
			if s != nil && (config.Equal(s.block, block) || s.reconfigure(block)) {
				continue
			}
			if s != nil {
				o.stop(key, s)
			}
			o.all[key] = o.start(kind, label, block, o.last[key])
		}
	}
	for key, s := range o.all {
		if !wanted[key] {
			if s.kind.Rung != nil && len(o.rungs) > 0 && key.label == "" {
				s.stop(packager.ErrAbandoned) // its renditions take its place
			}
			o.stop(key, s)
		}
	}
}

// blocks are those of a kind, by label, for each rendition where the kind has them. mu is
// held.
func (o *outputs) blocks(kind *OutputKind, cfg *config.Application) map[string]any {
	all := kind.Blocks(cfg, o.stream.name)
	if kind.Name == recordKind.Name && o.stream.replays.Load() {
		return nil // a recording is not recorded again
	}
	if len(o.rungs) == 0 || kind.Rung == nil {
		return all
	}
	out := make(map[string]any)
	for label, block := range all {
		for _, r := range o.rungs {
			out[label+r.label()] = kind.Rung(block, r)
		}
	}
	return out
}

// setLadder makes the renditions rungs, from the next apply on. It returns whether they
// were others before.
func (o *outputs) setLadder(rungs []rung) (changed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	changed = !slices.Equal(o.rungs, rungs)
	o.rungs = rungs
	return changed
}

func (o *outputs) ladder() []rung {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rungs
}

// rungsOf are the renditions in the set of that name.
func (o *outputs) rungsOf(base string) []rung {
	return slices.DeleteFunc(slices.Clone(o.ladder()), func(r rung) bool { return r.Base != base })
}

// hasRung reports whether a rendition, or a set of them beside the stream's own, is
// called that.
func (o *outputs) hasRung(name string) bool {
	return slices.ContainsFunc(o.ladder(), func(r rung) bool { return r.name() == name || r.Base == name && name != r.Stream })
}

// stop ends an output. mu is held.
func (o *outputs) stop(key outputKey, s *supervised) {
	s.stop(nil)
	o.last[key] = s.ended
	delete(o.all, key)
}

// start has an output read the stream from the newest keyframe on, once the output
// of that block before has ended: two may not write to one target. mu is held.
func (o *outputs) start(kind *OutputKind, label string, block any, last <-chan struct{}) *supervised {
	ctx, stop := context.WithCancelCause(o.stream.app.origin.outputCtx)
	s := &supervised{kind: kind, label: label, block: block, stop: stop, log: o.stream.log(), opened: make(chan struct{}), ended: make(chan struct{})}
	from := live.FromKeyframe
	if label != "" && kind.Rung != nil && o.stream.live.Snapshot().Keyframes == 0 {
		from = live.FromOldest // the sound before the first picture, which is still to come
	}
	cur := o.stream.live.Cursor(from, true)
	o.stream.news.outs.Add(1)
	o.done.Add(1)
	go func() {
		defer o.done.Done()
		defer close(s.ended)
		defer stop(nil)
		defer cur.Close()
		if last != nil {
			<-last
		}
		s.run(ctx, o.stream, cur)
	}()
	return s
}

// list returns the outputs, ordered by kind and label.
func (o *outputs) list() []*supervised {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.SortedFunc(maps.Values(o.all), func(a, b *supervised) int {
		return cmp.Or(cmp.Compare(a.kind.Name, b.kind.Name), cmp.Compare(a.label, b.label))
	})
}

// count returns how many outputs are of these kinds.
func (o *outputs) count(kinds ...string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key := range o.all {
		if slices.Contains(kinds, key.kind) {
			n++
		}
	}
	return n
}

// failures lists the outputs that can't write.
func (o *outputs) failures() (found []doctor.Finding) {
	for _, s := range o.list() {
		if _, state := s.now(); state.Failing != "" {
			found = append(found, api.NewOutputFailing(s.title(), state.Failing, state.FailingSince))
		}
	}
	return found
}

// failing counts the outputs that can't write, out of all that depend on no other
// server.
func (o *outputs) failing() (failing, all int) {
	for _, s := range o.list() {
		if s.kind.Remote {
			continue
		}
		all++
		if _, state := s.now(); state.Failing != "" {
			failing++
		}
	}
	return failing, all
}

// snapshot shows the outputs.
func (o *outputs) snapshot() []api.Output {
	var out []api.Output
	for _, s := range o.list() {
		_, state := s.now()
		out = append(out, api.Output{Kind: s.kind.Name, Name: s.label, State: state})
	}
	return out
}

func (st *Stream) log() *zap.Logger { return st.app.log.With(zap.String("stream", st.name)) }
