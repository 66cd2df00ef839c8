package rtmp

import "github.com/rtmpd/rtmpd/internal/amf"

// Status codes: nginx-rtmp's, and those that say more than it did.
const (
	StatusConnectSuccess   = "NetConnection.Connect.Success"
	StatusConnectRejected  = "NetConnection.Connect.Rejected"
	StatusConnectClosed    = "NetConnection.Connect.Closed"
	StatusReconnectRequest = "NetConnection.Connect.ReconnectRequest"

	StatusPublishStart     = "NetStream.Publish.Start"
	StatusPublishBadName   = "NetStream.Publish.BadName"
	StatusPublishDenied    = "NetStream.Publish.Denied"
	StatusUnpublishSuccess = "NetStream.Unpublish.Success"
	StatusUnpublishNotify  = "NetStream.Unpublish.Notify"

	StatusPlayReset           = "NetStream.Play.Reset"
	StatusPlayStart           = "NetStream.Play.Start"
	StatusPlayStop            = "NetStream.Play.Stop"
	StatusPlayFailed          = "NetStream.Play.Failed"
	StatusPlayStreamNotFound  = "NetStream.Play.StreamNotFound"
	StatusPlayPublishNotify   = "NetStream.Play.PublishNotify"
	StatusPlayUnpublishNotify = "NetStream.Play.UnpublishNotify"
	StatusPlayComplete        = "NetStream.Play.Complete"
	// Adobe's code for a stream of which the player can play no track; players
	// that know it (HaishinKit, JW Player) stop, others go by its level.
	StatusPlayNoSupportedTrack = "NetStream.Play.NoSupportedTrackFound"
	// Our own, a warning: nobody takes a code that it does not know for an end.
	StatusPlayTrackLeftOut = "NetStream.Play.TrackLeftOut"

	StatusPauseNotify   = "NetStream.Pause.Notify"
	StatusUnpauseNotify = "NetStream.Unpause.Notify"
	StatusSeekNotify    = "NetStream.Seek.Notify"
	StatusFailed        = "NetStream.Failed"

	StatusRecordStart  = "NetStream.Record.Start"
	StatusRecordStop   = "NetStream.Record.Stop"
	StatusRecordFailed = "NetStream.Record.Failed"
)

// StatusObject is the information object of an onStatus or _error: level is
// "status", "warning" or "error".
func StatusObject(level, code, description string) amf.Object {
	return amf.Object{
		{Name: "level", Value: level},
		{Name: "code", Value: code},
		{Name: "description", Value: description},
	}
}

// A StatusError is a peer's refusal, in its own words.
type StatusError struct {
	Level, Code, Description string
}

// Error is the description with its code.
func (e *StatusError) Error() string {
	switch {
	case e.Code == "" && e.Description == "":
		return "refused without a reason"
	case e.Description == "":
		return e.Code
	}
	return e.Description + " (" + e.Code + ")"
}

// Refusal is the no that a server says in cmd after it has accepted a stream: an
// onStatus of level error, or a close; nil if cmd is something else.
func Refusal(cmd Command) error {
	switch cmd.Name {
	case "onStatus":
		if s := statusOf(cmd); s.Level == "error" {
			return s
		}
	case "close":
		return statusOf(cmd)
	}
	return nil
}

// StatusCode is the code of an onStatus or onPlayStatus; empty: cmd is neither.
func StatusCode(cmd Command) string {
	if cmd.Name != "onStatus" && cmd.Name != "onPlayStatus" {
		return ""
	}
	return statusOf(cmd).Code
}

// statusOf reads the information object that Command carries: the first of its
// arguments that has a code.
func statusOf(cmd Command) *StatusError {
	s := &StatusError{}
	for _, v := range append([]amf.Value{cmd.Object}, cmd.Args...) {
		o, ok := amf.AsObject(v)
		if !ok || o.Get("code") == nil {
			continue
		}
		s.Level, _ = o.Get("level").(string)
		s.Code, _ = o.Get("code").(string)
		s.Description, _ = o.Get("description").(string)
		break
	}
	return s
}
