package packager

import (
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Writer writes the segments of one stream into one directory, and has their manifests
// written. It belongs to the goroutine of its packager. When the path changes the
// packager opens another one.
type Writer struct {
	Window Window // what the manifests are to name

	d         *Directory
	owner     *Packager
	set       Settings
	names     names
	files     []string // of the manifests
	manifests []Manifest
	// gone are segments that a manifest on disk still names and the next one will not.
	gone    []Segment
	open    *Open // nil: no part of the next segment is shown
	hinted  [2]segstore.PartName
	sizes   [2]int          // of the files of the newest segment that has grown: the next one is like it
	spare   segmenter.Files // its buffers, if nobody reads them
	listed  []listedParts   // oldest first
	parts   []oldParts
	looked  uint64          // media sequence number of the next segment to be looked at, see missing
	moves   uint64          // Directory.moves, then
	stay    map[string]bool // initialisation sections and keys that stay, by name
	keys    *keyring
	inits   [2]*Init // the newest; nil: none
	nextID  uint64   // sequential names: the ID of the next segment is not below
	follows bool     // there were segments before the next one
	unsaved bool     // the manifests on disk are older than Window
	renew   bool     // the first segment begins new manifests, without the segments of Window
}

// openWriter makes owner the writer of its stream in d. What is there is continued.
func openWriter(owner *Packager, d *Directory, s Settings) (*Writer, error) {
	n, err := namesFor(owner.app, owner.name, &s)
	if err != nil {
		return nil, err
	}
	if err := d.main.Settle(); err != nil {
		return nil, err
	}
	keys, err := openKeyring(d, s.Keys)
	if err != nil {
		return nil, err
	}
	files := s.files(owner.app, owner.name)
	if err := d.claim(files, owner); err != nil {
		return nil, err
	}
	w := &Writer{d: d, owner: owner, set: s, names: n, files: files, keys: keys}
	for _, m := range s.Manifests {
		w.manifests = append(w.manifests, m.Open(w))
	}
	w.resume()
	// Players that load a manifest of a stream that has ended do not load it again, so
	// the end is taken back at once. The first segment then begins a new manifest, which
	// only continues the numbers.
	w.renew = w.Window.Ended
	w.unsaved = w.Window.Ended && len(w.Window.Segments) > 0
	w.Window.Ended = false
	w.follows = w.Window.Next() > 0 || w.Window.Disc > 0
	w.Window.Event = s.Event
	w.findKeys()
	w.findInits()
	return w, nil
}

// Directory is where the files are.
func (w *Writer) Directory() *Directory { return w.d }

// Main is the file of the first manifest.
func (w *Writer) Main() string { return w.files[0] }

// Settings are what w does.
func (w *Writer) Settings() Settings { return w.set }

// Stream is whose segments w writes; name begins the names of the files.
func (w *Writer) Stream() (app, name string) { return w.names.app, w.names.stream }

// Ladder is that of the renditions which the stream is one of; nil: it is none.
func (w *Writer) Ladder() *Ladder { return w.owner.Ladder }

func (w *Writer) findKeys() {
	if w.keys != nil {
		w.keys.adopt(w.Window.Segments)
		w.keys.adopt(w.gone)
	}
}

// limits are what all manifests require.
func (w *Writer) limits() (l Limits) {
	for _, m := range w.manifests {
		l = l.and(m.Limits())
	}
	return l
}

// same says whether s can be had by change.
func (w *Writer) same(s *Settings) bool {
	if s.Nested != w.set.Nested || s.Format != w.set.Format || len(s.Manifests) != len(w.manifests) {
		return false
	}
	files := s.files(w.names.app, w.names.stream)
	if len(files) != len(w.files) {
		return false
	}
	for i := range files {
		if files[i] != w.files[i] {
			return false
		}
	}
	return true
}

// follow makes w continue the numbers of the writer that it replaces. Players may load
// both under the same URL, and numbers must not go back.
func (w *Writer) follow(old *Writer) {
	from := &old.Window
	if from.Next() > w.Window.Next() {
		w.gone = append(w.gone, w.Window.remove(len(w.Window.Segments))...)
		w.Window.Seq = from.Next()
		w.Window.Disc = max(w.Window.Disc, from.NextDisc())
	}
	if w.Window.Epoch.IsZero() {
		w.Window.Epoch = from.Epoch
	}
	w.follows = w.follows || from.Next() > 0
	w.followManifests(old.manifests)
}

func (w *Writer) followManifests(old []Manifest) {
	for i, m := range w.manifests {
		if i < len(old) {
			m.Follow(old[i])
		}
	}
}

// change applies settings that leave the files where they are.
func (w *Writer) change(s Settings) error {
	n, err := namesFor(w.names.app, w.names.stream, &s)
	if err != nil {
		return err
	}
	if !equalKeys(w.set.Keys, s.Keys) {
		keys, err := openKeyring(w.d, s.Keys)
		if err != nil {
			return err
		}
		w.keys = keys
	}
	w.names, w.set, w.spare = n, s, segmenter.Files{}
	if w.Window.Event = s.Event; !s.Event {
		if w.Window.Past.Count > 0 {
			w.stayWith(&w.Window.Past.ends[1])
		}
		w.Window.Past = Past{} // it leaves the playlist
	}
	old := w.manifests
	w.manifests = nil
	for _, m := range s.Manifests {
		w.manifests = append(w.manifests, m.Open(w))
	}
	w.followManifests(old)
	return nil
}

func equalKeys(a, b *config.Keys) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// keep is how long the files stay after the end of the stream, 0 for ever.
func (w *Writer) keep() time.Duration {
	if !w.set.Cleanup || w.Window.Event {
		return 0
	}
	return 2 * w.set.PlaylistLength
}

// Entry is the ledger entry of a file of the stream.
func (w *Writer) Entry(name, kind string) segstore.Entry {
	return segstore.Entry{Name: name, Kind: kind, App: w.names.app, Stream: w.names.public, Keep: w.keep().Milliseconds()}
}

// add writes g and adds it to the window. It returns the size of its files.
func (w *Writer) add(g *segmenter.Segment, date time.Time, x segmenter.Container) (int, error) {
	if err := w.d.main.Settle(); err != nil {
		return 0, err
	}
	at, broken := w.place(g, g.Start+g.Duration, date)
	date, seq := at.date, at.seq
	s := Segment{Duration: g.Duration, Independent: g.Independent, Date: date}
	var id uint64
	var err error
	if w.open != nil {
		id = w.open.id
		err = w.completeOpen(&s, seq, g, x.(parter))
	} else {
		id = w.nextName(seq, g, date, x)
		if s.Key, err = w.nextKey(id); err != nil {
			return 0, err
		}
		err = w.write(&s, id, seq, g, x)
	}
	if err != nil {
		return 0, err
	}
	w.nextID = id + 1
	s.Discontinuity = broken
	w.append(s, g, at)
	return s.Size(), nil
}

// nextName is the ID in the names of g, segment seq.
func (w *Writer) nextName(seq uint64, g *segmenter.Segment, date time.Time, x segmenter.Container) uint64 {
	id := w.names.id(seq, g)
	if w.names.numbered() {
		id = max(id, w.nextID)
	}
	if w.names.naming == NamingMedia {
		w.anchor(date, x)
		return id
	}
	return w.names.free(w.d.main, id)
}

// nextKey is the key of the segment of that ID; nil: it is in the clear.
func (w *Writer) nextKey(id uint64) (*Key, error) {
	if w.keys == nil {
		return nil, nil
	}
	if err := w.keys.store.Settle(); err != nil {
		return nil, err
	}
	return w.keys.next(&w.names, id, w.Entry("", kindKey), w.d.now())
}

// append adds s, which is g and goes there, to the window.
func (w *Writer) append(s Segment, g *segmenter.Segment, at place) {
	if w.renew {
		w.renew = false
		w.gone = append(w.gone, w.Window.remove(len(w.Window.Segments))...)
	}
	w.renumber(at, s.Discontinuity)
	w.follows = true
	w.Window.Segments = append(w.Window.Segments, s)
	w.Window.Ended = false
	added := &w.Window.Segments[len(w.Window.Segments)-1]
	for _, m := range w.manifests {
		m.Add(added, g)
	}
	w.gone = append(w.gone, w.Window.Trim(max(w.set.PlaylistLength, w.set.DVR, w.limits().Least))...)
	w.unsaved = true
}

// lose notes that g can't be written. Where parts of it were shown its number can't be
// another segment's.
func (w *Writer) lose(g *segmenter.Segment, x segmenter.Container) {
	if w.open == nil {
		return
	}
	if p, ok := x.(parter); ok {
		p.Abandon()
	}
	if w.open.any {
		g.Discontinuity = w.open.Discontinuity
		at, broken := w.place(g, g.Start+g.Duration, w.open.date)
		w.append(Segment{Duration: g.Duration, Date: at.date, Discontinuity: broken, Lost: true}, g, at)
	}
	w.closeOpen(false)
}

// place says where g goes, which ends at end and would have that date; broken: as a
// discontinuity.
func (w *Writer) place(g *segmenter.Segment, end time.Duration, date time.Time) (at place, broken bool) {
	own := place{start: g.Start, end: end, seq: w.Window.Next(), disc: w.Window.NextDisc(), date: date}
	if broken = g.Discontinuity && (w.follows || len(w.Window.Segments) > 0); broken {
		own.disc++
	}
	return w.Ladder().place(own, len(w.Window.Segments) == 0, broken, w.set.Fragment/2), broken
}

// renumber begins the window anew where the next segment, which is at, does not follow
// it: a rendition came later than others, or was away.
func (w *Writer) renumber(at place, broken bool) {
	if w.next(at, broken) {
		return
	}
	l := &w.Window
	w.gone = append(w.gone, l.remove(len(l.Segments))...)
	if l.Seq, l.Disc = at.seq, at.disc; broken {
		l.Disc--
	}
}

// next says whether what is at a place follows the window.
func (w *Writer) next(at place, broken bool) bool {
	disc := w.Window.NextDisc()
	if broken {
		disc++
	}
	return at.seq == w.Window.Next() && at.disc == disc
}

// anchor has x count the media of the next segment, if that is a discontinuity, from the
// epoch: the segment at date. Times do not come twice, because files are called by them.
func (w *Writer) anchor(date time.Time, x segmenter.Container) {
	l := &w.Window
	if l.Epoch.IsZero() {
		l.Epoch = w.Ladder().Epoch(date.Add(-beforeFirst).Truncate(time.Second))
	}
	at := max(date.Sub(l.Epoch), 0)
	if n := len(l.Segments); n > 0 {
		at = max(at, l.Segments[n-1].mediaEnd())
	}
	x.Anchor(at)
}

// beforeFirst: sound may come that long before the first picture.
const beforeFirst = time.Second

// publish has the manifests written, then schedules the removal of what they no longer
// name.
func (w *Writer) publish() error {
	w.dropMissing()
	if len(w.Window.Segments) == 0 {
		return nil
	}
	for _, m := range w.manifests {
		if err := m.Publish(); err != nil {
			return err
		}
	}
	w.unsaved = false
	sum := w.Window.Duration() + w.Window.Past.lasts
	for i := range w.Window.Segments {
		s := &w.Window.Segments[i]
		s.longest = max(s.longest, sum)
	}
	w.letGo()
	w.settle()
	return nil
}

// refresh publishes the manifests again that are valid for a time.
func (w *Writer) refresh() {
	for _, m := range w.manifests {
		if m.Limits().Refresh > 0 {
			_ = m.Publish() // it is published again after the next segment
		}
	}
}

// A Text is a file of a manifest.
type Text struct {
	Body []byte // as it is on disk
	// Full, if it is not nil, is what HTTP gives to players that can do more than Body says.
	Full   []byte
	Low    *segstore.Low // its versions with parts; nil: there are none
	Target time.Duration // how soon there will be a newer one; 0: nobody knows
}

// WriteText writes a manifest's file and makes it live.
func (w *Writer) WriteText(name, kind string, t Text) error {
	rec := w.Entry(name, kind)
	live := w.d.TextFile(rec, t.Body, w.d.now(), t.Target)
	live.Full, live.Low = t.Full, t.Low
	return w.d.main.Write(rec, t.Body, live)
}

// SetNumbers notes in the manifest's file where the numbers go on.
func (w *Writer) SetNumbers(name string) {
	w.d.main.SetNumbers(name, segstore.Numbers{Next: w.Window.Next(), Disc: w.Window.NextDisc()})
}
