package viewers

// A Substitute is a file that is shown in the place of another.
type Substitute struct {
	Dir, Name string
	// Rename puts the name that was asked for into a playlist or MPD in the place of its
	// own: what that is stays secret. nil: the viewer is redirected.
	Rename func(body []byte) []byte
}
