//go:build !linux

package server

import "github.com/rtmpd/rtmpd/internal/api"

// host is not known here.
func host() api.Host { return api.Host{} }
