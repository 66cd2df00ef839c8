package server

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/listen"
)

// tlsConfig is what the rtmps listeners of a block speak with; nil: it has none.
func (s *Server) tlsConfig(b *config.RTMP) (*tls.Config, error) {
	if b.TLS == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: uint16(max(b.TLS.MinVersion, tls.VersionTLS12))}
	if len(b.TLS.Domains) > 0 {
		c.GetCertificate = s.acme.Getter(b.TLS.Domains)
		return c, nil
	}
	files, err := listen.OpenTLSFiles(string(b.TLS.Certificate), string(b.TLS.Key), s.log, time.Now)
	if err != nil {
		return nil, fmt.Errorf("rtmp: %w", err)
	}
	c.GetCertificate = files.Get
	return c, nil
}
