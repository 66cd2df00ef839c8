package ingest

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A ration is how often a publisher may change what every output and player has
// to be told anew: its sequence headers, its metadata. Encoders change them with
// the picture size, a few times an hour.
type ration struct {
	used int
	last time.Time
}

const (
	rationBurst = 60
	rationEvery = 500 * time.Millisecond // one more
)

// take reports whether one more change may be made at now.
func (r *ration) take(now time.Time) bool {
	if n := int(now.Sub(r.last) / rationEvery); n > 0 {
		r.used = max(r.used-n, 0)
		r.last = now
	}
	if r.used >= rationBurst {
		return false
	}
	r.used++
	return true
}

// headers is what a publisher's last packets were coded with.
type headers struct {
	ledger media.HeaderLedger
	ration ration
}

// allow reports whether p, which arrived at now, may be coded as it is.
func (h *headers) allow(p *media.Packet, now time.Time) bool {
	return h.ledger.Charge(p) == 0 || h.ration.take(now)
}
