package pages

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/internal/mp4"
)

// servePoster answers with the newest keyframe as an MP4 of one picture: every browser
// shows it, and nothing has to be decoded here.
func (h *Handler) servePoster(w http.ResponseWriter, r *http.Request, v Visit, s Stream) {
	// Whoever may not watch sees no picture either.
	if s.Guarded || !s.watchable() || v.PlaylistPath(s.Dir, s.Playlist) == "" {
		http.NotFound(w, r)
		return
	}
	p := h.streams.Keyframe(s.App, s.Name)
	if p == nil || !mp4.Supports(p.Track) {
		http.NotFound(w, r)
		return
	}
	b, err := mp4.AppendPicture(make([]byte, 0, len(p.Data)+1<<10), p.Track, p.Data)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "video/mp4")
	setDefault(header, "Cache-Control", "public, max-age=5")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("ETag", `"`+strconv.FormatUint(uint64(p.Epoch), 16)+"-"+strconv.FormatInt(int64(p.DTS), 16)+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b)) // some browsers play nothing without ranges
}
