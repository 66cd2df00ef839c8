package config

import "github.com/rtmpd/rtmpd/config/value"

// Limits is a limits block: what may be in use at a time of what the block that it stands
// in serves. Whoever comes when a limit is reached is refused; nobody is cut off.
type Limits struct {
	// How many players and HTTP viewers there may be; 0: no limit.
	Viewers int `hcl:"viewers" default:"0"`
	// How many of them may come from one address (of IPv6: one /64); 0: no limit.
	ViewersPerIP int `hcl:"viewers_per_ip" default:"0"`
	// The bit rate that may go out, as measured over the last 10 s; 0: no limit.
	Bandwidth value.Bitrate `hcl:"bandwidth" default:"0" example:"\"500M\""`
	// The bit rate that may go out to one address (of IPv6: one /64); 0: no limit.
	BandwidthPerIP value.Bitrate `hcl:"bandwidth_per_ip" default:"0" example:"\"50M\""`
	// The networks whose viewers are neither counted nor refused, here and by max_players,
	// max_players_per_ip and max_bandwidth.
	Local value.Networks `hcl:"local"`
}
