package rtmpserver

import (
	"strings"

	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/record"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func (s *session) setHookSession(h *hooks.Session) {
	s.mu.Lock()
	s.hookSession = h
	s.mu.Unlock()
}

// Describe implements origin.Publisher.
func (s *session) Describe() origin.Description {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := origin.Description{
		ID: s.id, Address: s.addr, Peer: s.peer, Local: s.nc.LocalAddr(), Since: s.started,
		Encoder: s.connect.FlashVer, PageURL: s.connect.PageURL, SWFURL: s.connect.SWFURL, Leaving: s.kicked.Load() != nil,
	}
	if s.hookSession != nil {
		d.Session = *s.hookSession
	}
	if conn := s.conn.Load(); conn != nil {
		d.BytesIn, d.RoundTrip = conn.BytesIn(), conn.RoundTrip()
	}
	return d
}

// Hide implements origin.Publisher: some encoders put all that they were told into
// tcUrl.
func (s *session) Hide(secret string, fromHooks bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !fromHooks {
		c := &s.connect
		strip(secret, &c.Args, &c.FlashVer, &c.SWFURL, &c.TCURL, &c.PageURL, &s.visit.args)
		return
	}
	c := *s.hookSession
	strip(secret, &c.Args, &c.FlashVer, &c.SWFURL, &c.TCURL, &c.PageURL)
	s.hookSession = &c
}

func strip(secret string, fields ...*string) {
	for _, f := range fields {
		*f = strings.ReplaceAll(*f, secret, "")
	}
}

// RecordStatus implements origin.RecordNotified.
func (s *session) RecordStatus(recorder string, state record.State) {
	level, code := "status", rtmp.StatusRecordStart
	switch state {
	case record.Stop:
		code = rtmp.StatusRecordStop
	case record.Failed:
		level, code = "error", rtmp.StatusRecordFailed
	}
	if s.kicked.Load() != nil {
		return
	}
	if conn := s.conn.Load(); conn != nil && conn.WriteStatus(1, level, code, recorder) == nil {
		_ = conn.Flush()
	}
}
