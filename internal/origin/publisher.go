package origin

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/record"
)

// A Publisher feeds a stream, by whatever protocol it came. Its methods return at
// once and may be called from any goroutine.
type Publisher interface {
	// Kick ends the publisher, which is told why; Publication.Leave follows.
	Kick(Reason)
	// Redirect has it publish under another name from now on, without a new
	// connection: it leaves, and its request goes to Publish again (see
	// PublishRequest.Redirected).
	Redirect(name, query string)
	// Describe is for hooks, stat and the log.
	Describe() Description
	// Hide takes a secret out of whatever Describe returns; hooks says whether
	// that goes for Description.Session, which the hooks see, too.
	Hide(secret string, hooks bool)
}

// RecordNotified is a Publisher that can be told what a recorder of its stream
// does (record.notify). It may block for as long as a message takes to send.
type RecordNotified interface {
	RecordStatus(recorder string, s record.State)
}

// A Player watches the Fan of a name. Its methods return at once.
type Player interface {
	// Kick ends the player, which is told why; Playing.Leave follows.
	Kick(Reason)
	// Redirect has it play another name from now on.
	Redirect(name, query string)
	// Describe is for hooks, stat and the log.
	Describe() Description
	// Hide takes a secret out of what Describe returns, as a Publisher's does.
	Hide(secret string, hooks bool)
	// StreamBegins says that the name has a stream now; the player waited for it.
	StreamBegins(cfg *config.Application)
	// StreamEnds says that its stream is over. Without cfg.IdleStreams a player may
	// not wait for the next one: it leaves when it has what is left of this one,
	// within drain at most.
	StreamEnds(cfg *config.Application, drain time.Duration)
}

// A Description is what a client is, for people and for hooks.
type Description struct {
	ID      uint64
	Address netip.Addr
	Peer    string    // address and port
	Local   net.Addr  // where it found the server
	Since   time.Time // of its connection

	Session hooks.Session // what it says of itself, for the hooks
	// The same for stat and the log: secrets that a hook may know are gone.
	Encoder, PageURL, SWFURL string

	Leaving   bool          // it was kicked
	BytesIn   uint64        // received on its connection
	BytesOut  uint64        // sent to a player, of what it plays now
	RoundTrip time.Duration // to it and back; 0: not known
	Playing   bool          // a player to which media are sent
	Lapped    uint64        // times that a player was moved on to the newest keyframe
	Timestamp uint32        // of what a player of a file was sent last, ms
}

// A Rule is the kind of decision that ends or refuses a client.
type Rule int

// The kinds of decision. Each protocol has its own codes for them.
const (
	RuleDenied   Rule = iota // access, limits, keys, hooks
	RuleName                 // the name is taken, or is none
	RuleReplaced             // another publisher took over
	RuleEnded                // the server stops, the application or the session is over
	RuleNoStream             // there is no such stream to play
)

// A Reason is why a client is ended.
type Reason struct {
	Rule Rule
	Text string
}

// A Refusal is why a request is refused. It is for the client and for one line of
// the log.
type Refusal Reason

func (r *Refusal) Error() string { return r.Text }

// ErrGone says that a client left, or was kicked, while it was decided upon: there
// is nobody to tell.
var ErrGone = errors.New("the client left")
