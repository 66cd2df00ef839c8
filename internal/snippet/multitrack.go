package snippet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/config"
)

// Multitrack is the kind of the configuration override of OBS: several sizes of the
// picture over one connection (docs/multitrack.md).
const Multitrack = "obs-multitrack"

// DefaultLadder is what WriteLadder is given without a wish.
const DefaultLadder = "1080p60:6000k,720p60:3000k,480p30:1200k"

// WriteLadder prints the configuration override of OBS for a ladder: renditions with commas
// between them, the first one first, as 720p60:3000k or 720x1280p30:2500k, the height or
// size of the picture, pictures a second, and bit rate. One that is higher than wide shows
// OBS's second canvas.
//
// Errors: a ladder that is none, with what is wrong; a configuration without application.
func WriteLadder(w io.Writer, cfg *config.Config, path, ladder string) error {
	encoders, err := encodersOf(ladder)
	if err != nil {
		return err
	}
	f, err := factsOf(cfg, path)
	if err != nil {
		return err
	}
	protocol := "RTMP"
	if r := &cfg.RTMP[0]; len(r.Listen) == 0 && r.TLS != nil {
		protocol = "RTMPS"
		if a := firstTCP(r.TLS.Listen); a != nil {
			f.RTMP = f.Host + ":" + strconv.Itoa(int(a.Port))
		}
	}
	o := override{
		Meta:      overrideMeta{Service: "rtmpd", Schema: "2025-01-25", ID: "rtmpd"},
		Endpoints: []overrideEndpoint{{protocol, strings.ToLower(protocol) + "://" + f.RTMP + "/" + f.App + "/{stream_key}"}},
		Encoders:  encoders,
	}
	// OBS refuses a configuration without sound.
	o.Audio.Live = []overrideAudio{{Codec: "ffmpeg_aac", TrackID: 1, Channels: 2, Settings: map[string]any{"bitrate": 160}}}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(o)
}

// The names are those of OBS's parser.
type override struct {
	Meta      overrideMeta       `json:"meta"`
	Endpoints []overrideEndpoint `json:"ingest_endpoints"`
	Encoders  []overrideEncoder  `json:"encoder_configurations"`
	Audio     struct {
		Live []overrideAudio `json:"live"`
	} `json:"audio_configurations"`
}

type overrideMeta struct {
	Service string `json:"service"`
	Schema  string `json:"schema_version"`
	ID      string `json:"config_id"`
}

type overrideEndpoint struct {
	Protocol string `json:"protocol"`
	URL      string `json:"url_template"`
}

type overrideEncoder struct {
	Type      string         `json:"type"`
	Width     int            `json:"width"`
	Height    int            `json:"height"`
	FrameRate overrideRate   `json:"framerate"`
	Scale     string         `json:"gpu_scale_type"`
	Space     string         `json:"colorspace"`
	Range     string         `json:"range"`
	Format    string         `json:"format"`
	Settings  map[string]any `json:"settings"`
	Canvas    int            `json:"canvas_index"`
}

type overrideRate struct {
	Numerator   int `json:"numerator"`
	Denominator int `json:"denominator"`
}

type overrideAudio struct {
	Codec    string         `json:"codec"`
	TrackID  int            `json:"track_id"`
	Channels int            `json:"channels"`
	Settings map[string]any `json:"settings"`
}

var oneRendition = regexp.MustCompile(`^(?:([0-9]{1,5})x)?([0-9]{1,5})p([0-9]{1,3}):([0-9]{1,6})k$`)

// maxLadder is how many renditions rtmpd makes of a publisher's tracks.
const maxLadder = 9

func encodersOf(ladder string) (all []overrideEncoder, err error) {
	for one := range strings.SplitSeq(ladder, ",") {
		m := oneRendition.FindStringSubmatch(strings.TrimSpace(one))
		if m == nil {
			return nil, fmt.Errorf("%q is no rendition: write its height, pictures a second and bit rate, as 720p60:3000k, or its size, as 720x1280p30:2500k", one)
		}
		number := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
		e := overrideEncoder{
			Type: "obs_x264", Width: number(1), Height: number(2), FrameRate: overrideRate{number(3), 1},
			Scale: "OBS_SCALE_BICUBIC", Space: "VIDEO_CS_709", Range: "VIDEO_RANGE_PARTIAL", Format: "VIDEO_FORMAT_NV12",
			Settings: map[string]any{"rate_control": "CBR", "bitrate": number(4), "keyint_sec": 2, "preset": "veryfast", "profile": "high"},
		}
		if e.Width == 0 {
			e.Width = (e.Height*16/9 + 1) / 2 * 2
		}
		switch {
		case e.Width < 16 || e.Height < 16 || e.Width > 8192 || e.Height > 8192 || e.Width%2+e.Height%2 > 0:
			return nil, fmt.Errorf("%q: sizes are even, from 16 to 8192", one)
		case number(3) < 1 || number(3) > 240:
			return nil, fmt.Errorf("%q: there are 1 to 240 pictures a second", one)
		case number(4) < 50:
			return nil, fmt.Errorf("%q: a bit rate is 50k at least", one)
		}
		if e.Height > e.Width {
			e.Canvas = 1
		}
		all = append(all, e)
	}
	if len(all) > maxLadder {
		return nil, fmt.Errorf("%d renditions: rtmpd takes %d of one publisher", len(all), maxLadder)
	}
	if all[0].Canvas != 0 {
		return nil, errors.New("the first rendition, which RTMP players get, is wider than high")
	}
	return all, nil
}
