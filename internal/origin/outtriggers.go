package origin

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/record"
	"github.com/rtmpd/rtmpd/internal/relay"
)

// sayFile tells RECORDING_END and OUTPUT_END that a file is closed.
func (st *Stream) sayFile(r *recordOutput, f record.Finished) {
	rules := st.app.rules.Load()
	if !rules.triggers.Has(hooks.RecordingEnd) && !rules.triggers.Has(hooks.OutputEnd) {
		return
	}
	told := hooks.File{
		Stream: st.name, Path: f.Path, Type: r.cfg.Load().Format, Bytes: f.Bytes, From: f.Opened, Until: f.Closed,
		Media: f.Duration, First: f.First, Last: f.Last, Reason: "CLEAN_INTENDED_STOP", Text: "the file is complete",
	}
	switch {
	case f.Failed != "":
		told.Reason, told.Text = "WRITE_FAILURE", f.Failed
	case f.Ended:
		told.Reason, told.Text = "CLEAN_EOF", "the stream is over"
	}
	for _, h := range []hooks.Hook{hooks.RecordingEnd, hooks.OutputEnd} {
		st.app.tell(rules, st.subject(), hooks.NewFile(h, st.app.name, told), st.name)
	}
}

// aim asks PUSH_OUT_START where a push is to go; empty: where the configuration says.
func (st *Stream) aim(ctx context.Context, url string) (value.RTMPURL, error) {
	rules := st.app.rules.Load()
	list := rules.triggers.For(hooks.PushOutStart, st.name)
	if len(list) == 0 {
		return "", nil
	}
	reply, err := st.app.hooks.Fire(ctx, &rules.cfg.Notify, st.subject(), list, hooks.NewPushOutStart(st.app.name, st.name, url))
	switch {
	case err != nil:
		return "", err
	case !reply.Answered || reply.Value == url:
		return "", nil
	case reply.Value == "":
		return "", errors.New("refused by PUSH_OUT_START")
	}
	to, err := hooks.SourceURL(reply.Value)
	if err != nil {
		return "", errors.New("PUSH_OUT_START answers with a wrong target: " + err.Error())
	}
	return to, nil
}

// sayPushEnd tells PUSH_END how an attempt of a push has ended.
func (st *Stream) sayPushEnd(e relay.End) {
	rules := st.app.rules.Load()
	if !rules.triggers.Has(hooks.PushEnd) {
		return
	}
	p := hooks.PushResult{
		ID: strconv.FormatUint(st.app.origin.attempts.Add(1), 10), Stream: st.name, Target: e.Target, Effective: cmp.Or(e.Effective, e.Target),
		Status: map[string]any{"bytes": e.Bytes, "active_ms": e.For.Milliseconds(), "push": e.Name},
	}
	if e.Err != nil {
		p.Log = []string{e.Err.Error()}
	}
	st.app.tell(rules, st.subject(), hooks.NewPushEnd(st.app.name, p), st.name)
}

// sayAbort tells INPUT_ABORT that a pull has failed.
func (p *puller) sayAbort(block string, source value.RTMPURL, began bool, err error) {
	rules := p.app.rules.Load()
	if !rules.triggers.Has(hooks.InputAbort) {
		return
	}
	reason := "READ_START_FAILURE"
	if began {
		reason = "CLEAN_REMOTE_CLOSE"
	}
	shown := hostOnly(source)
	if pull := p.pull.Load(); pull != nil {
		shown = pull.Source()
	}
	e := hooks.NewInputAbort(p.app.name, p.name, shown, "pull "+block, os.Getpid(), reason, err.Error())
	p.app.tell(rules, hooks.Subject{Stream: p.name}, e, p.name)
}

// hostOnly is a URL without what may be a key in it.
func hostOnly(u value.RTMPURL) string {
	scheme, rest, _ := strings.Cut(u.Reveal(), "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host[strings.LastIndexByte(host, '@')+1:] + "/" + value.Hidden
}
