//go:build !linux

package http1

import "io"

// writeMore is Linux's; elsewhere the head leaves by itself.
func (c *Conn) writeMore(p []byte) (int, error) { return c.Conn.Write(p) }

// sendSection copies.
func (c *Conn) sendSection(s *Section, n int64) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, io.LimitReader(s, n))
}
