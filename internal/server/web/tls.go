package web

import (
	"crypto/tls"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/server/tlsfiles"
)

// certificate is what a tls block serves with.
type certificate struct {
	files      *tlsfiles.Pair
	minVersion uint16
}

func newCertificate(t config.TLS, log *zap.Logger, now func() time.Time) (*certificate, error) {
	files, err := tlsfiles.Open(t.Certificate, t.Key, log, now)
	if err != nil {
		return nil, err
	}
	c := &certificate{files: files, minVersion: t.MinVersion}
	if c.minVersion == 0 {
		c.minVersion = tls.VersionTLS12
	}
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     c.minVersion,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: c.files.Get,
	}
}
