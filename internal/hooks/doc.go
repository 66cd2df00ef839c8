// Package hooks tells and asks the outside world over HTTP, in nginx-rtmp's wire
// format (docs/nginx-rtmp.md): an application's on_publish, on_play and their kin.
//
// An Event is what happened, already in the form in which it is sent. A Caller
// belongs to one application (or to one rtmp block, for on_connect). Ask waits
// for a Verdict and takes whatever is not a clear yes for a no; Tell leaves its
// calls to a bounded queue and returns at once. No hook can hold up another
// stream: each kind of call has places of its own in the caller's gate.
package hooks
