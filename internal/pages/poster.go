package pages

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A form is a way to write a keyframe to a file of its own. Nothing has to be decoded.
type form struct {
	contentType string
	write       func(b []byte, t *media.Track, data []byte) ([]byte, error)
}

var (
	asMP4  = form{"video/mp4", mp4.AppendPicture} // every browser shows it
	asAVIF = form{"image/avif", mp4.AppendAVIF}   // of AV1: a picture where a video will not do
)

// servePoster answers with the newest keyframe.
func (h *Handler) servePoster(w http.ResponseWriter, r *http.Request, v *Visit, s *Stream, f form) {
	// Whoever may not watch sees no picture either.
	if s.Guarded || !s.watchable() || s.path(v) == "" {
		http.NotFound(w, r)
		return
	}
	p := h.streams.Keyframe(s.App, s.Name)
	if p == nil || !mp4.Supports(p.Track) {
		http.NotFound(w, r)
		return
	}
	b, err := f.write(make([]byte, 0, len(p.Data)+1<<10), p.Track, p.Data)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	setDefault(header, "Cache-Control", "max-age=5")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("ETag", `"`+strconv.FormatUint(uint64(p.Epoch), 16)+"-"+strconv.FormatInt(int64(p.DTS), 16)+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b)) // some browsers play nothing without ranges
}
