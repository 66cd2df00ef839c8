package capacity

// Mist is what MistServer's hardware calculator says, for those who come from there. Its
// constants are of 2018: 3.4 points of the CPU mark for each connection, 12.5 MB for each
// Mbit/s of a stream (50 s of it, twice), 2 MB for each connection.
type Mist struct {
	CPUMark   float64 `json:"cpu_mark"`
	Memory    float64 `json:"memory_mb"`
	Bandwidth float64 `json:"bandwidth_mbps"` // in and out together
}

// The constants of MistServer's formulas.
const (
	mistMark       = 3.4
	mistStream     = 12.5 // MB for each Mbit/s
	mistConnection = 2.0  // MB
)

// MistServer applies its formulas to a Plan.
func MistServer(p Plan) Mist {
	connections := float64(p.Streams + p.Viewers + p.Players)
	return Mist{
		CPUMark:   mistMark * connections,
		Memory:    mistStream*p.Mbps*float64(p.Streams) + mistConnection*connections,
		Bandwidth: p.Mbps * connections,
	}
}
