package web

import "time"

// Kind says what a live file is.
type Kind uint8

// The kinds of live file.
const (
	Playlist Kind = iota + 1 // a media playlist
	Master                   // a multivariant playlist
	Segment                  // a fragment or an initialisation section
	Key                      // a fragment key
)

// LiveFile is a file under a root or alias that an application is writing right
// now. Its bytes are the ones on disk.
type LiveFile struct {
	App, Stream string
	Dir         string // the hls directory, as the configuration spells it
	Kind        Kind
	Body        []byte // playlists: the whole file; shared, never written
	Gzip        []byte // playlists: Body compressed; may be nil
	ETag        string // quoted; empty: made from size and time of the file
	ModTime     time.Time
	MaxAge      time.Duration // fragments: 2 × playlist_length
	Target      time.Duration // playlists: TARGETDURATION; 0: not known
}
