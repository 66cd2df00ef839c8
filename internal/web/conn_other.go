//go:build !linux

package web

import "io"

// writeMore is Linux's; elsewhere the head leaves by itself.
func (c *conn) writeMore(p []byte) (int, error) { return c.Conn.Write(p) }

// sendSection copies.
func (c *conn) sendSection(s *section, n int64) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, io.LimitReader(s, n))
}
