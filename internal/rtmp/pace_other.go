//go:build !linux

package rtmp

import "net"

// A pacer is Linux's; elsewhere connections are read as ever.
type pacer struct{}

func newPacer(net.Conn) *pacer          { return nil }
func (*pacer) read([]byte) (int, error) { return 0, nil }
func (*pacer) rest(bool)                {}
