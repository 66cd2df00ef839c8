// Package hooks calls the hooks of an application (on_publish, on_play and so on)
// over HTTP, in nginx-rtmp's wire format (docs/nginx-rtmp.md).
//
// An Event is one occurrence, encoded as it will be sent. A Caller belongs to one
// application (or to one rtmp block, for on_connect). Ask waits for a Verdict and
// treats everything but a clear yes as a no. Tell puts calls into a bounded queue
// and returns at once. A hook that hangs delays no other stream: each class of
// calls has its own slots in the caller's gate.
//
// Triggers (docs/triggers.md) are MistServer's hooks: Fire asks their handlers, which are
// URLs or programs, through the same gate and the same queue.
//
// Commands are the processes of exec blocks (docs/exec.md). Keep runs a program until
// it is stopped and starts it again when it ends; a Queue runs one for each event. A
// process has a session and a process group of its own, and is ended with the group.
package hooks
