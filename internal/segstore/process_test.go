package segstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a ledger says is what the next process knows, to the last field.
func TestTheNextProcessKnowsWhatTheLastOneWrote(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	entry := Entry{Name: "a/7.ts", Kind: "segment", App: "show", Stream: "test", Seq: 7, Disc: 2, Keep: 1500}
	if err := s.Write(entry, []byte("x"), File{}); err != nil {
		t.Fatal(err)
	}
	mark := Entry{Name: "test.next", Kind: "mark", Seq: 8}
	if err := s.Mark(mark); err != nil {
		t.Fatal(err)
	}
	x.write(s, "forgotten.ts")
	s.Forget("forgotten.ts", "never.ts")
	at := x.now.Add(1234 * time.Millisecond)
	s.Schedule(at, "a/7.ts")
	s.Close()

	s = x.open()
	entry.Remove = at.UnixMilli()
	got := make(map[string]Entry)
	s.Each(func(r Entry, n Numbers) {
		got[r.Name] = r
		if n != (Numbers{}) {
			t.Errorf("%s has numbers %+v", r.Name, n)
		}
	})
	if len(got) != 3 || got["a/7.ts"] != entry || got["test.next"] != mark || got["a"].Kind != KindDirectory {
		t.Errorf("%+v", got)
	}
	if r := got["a/7.ts"]; !r.Removal().Equal(at) || !r.GraceFrom(at).Equal(at.Add(1500*time.Millisecond)) {
		t.Errorf("goes at %v, or %v after its stream's end", r.Removal(), r.GraceFrom(at))
	}
	if r := got["test.next"]; !r.Removal().IsZero() || !r.GraceFrom(at).IsZero() {
		t.Errorf("no date, and stays for ever: %v, %v", r.Removal(), r.GraceFrom(at))
	}
	// Nothing is served before the sweep has looked at it.
	if _, ok := s.Lookup("a/7.ts"); ok {
		t.Error("a file is served that nobody has looked at")
	}
	s.Show("a/7.ts", File{Size: 1})
	s.Show("never.ts", File{Size: 1})
	if f, ok := s.Lookup("a/7.ts"); !ok || f.Size != 1 || s.Ours("never.ts") {
		t.Errorf("%+v, %t", f, ok)
	}
	// What was forgotten is still there, as somebody else's.
	x.holds(LedgerName, "a", "a/7.ts", "forgotten.ts")
}

// A file that is written again is not removed: its date is gone, here and for the next
// process. The ledger takes no line for what it says already.
func TestAFileThatIsWrittenAgainHasNoDate(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.m3u8")
	s.Schedule(x.now.Add(time.Second), "a.m3u8")
	x.write(s, "a.m3u8")
	lines := len(x.ledger())
	x.write(s, "a.m3u8", "a.m3u8")
	if n := len(x.ledger()); n != lines || n != 3 {
		t.Errorf("the ledger has %d lines, then %d, want 3", lines, n)
	}
	x.now = x.now.Add(time.Hour)
	if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("%v, %v", next, err)
	}
	s.Close()
	s = x.open()
	s.Each(func(r Entry, _ Numbers) {
		if !r.Removal().IsZero() {
			t.Errorf("%+v", r)
		}
	})
	x.holds(LedgerName, "a.m3u8")
}

// A name that has two entries has the last one.
func TestTheLastLineAboutANameHolds(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	for seq := range uint64(3) {
		r := entryOf("a.ts")
		r.Seq = seq
		if err := s.Write(r, nil, File{}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	x.open().Each(func(r Entry, _ Numbers) {
		if r.Seq != 2 {
			t.Errorf("%+v", r)
		}
	})
}

// Only lines that can be ours count: a clean name, a kind that there is, its suffix.
func TestWhatIsNotOursInALedgerIsLeftAlone(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	if err := os.MkdirAll(x.path, 0o700); err != nil {
		t.Fatal(err)
	}
	ledger := strings.Join([]string{
		`{"n":"../x.ts","k":"segment"}`, `{"n":"a.ts","k":"segment"}`, `{"n":"b.ts","k":"playlist"}`, `{"n":"c.ts","k":"film"}`,
		`{"n":"d","k":"dir"}`, `{"n":".e","k":"dir"}`, `nonsense`, `{"n":"f.m3u8","k":"playlist"}`, `{"n":"g.next","k":"mark"}`,
		`{"n":"h.ts","k":"segment"}`, `{"n":"h.ts","k":"segment","gone":true}`, `{"n":"i.ts","k":"segm`,
	}, "\n")
	if err := os.WriteFile(filepath.Join(x.path, LedgerName), []byte(ledger), 0o600); err != nil {
		t.Fatal(err)
	}
	s := x.open()
	if got, want := ours(s), []string{"a.ts", "d", "f.m3u8", "g.next"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := len(x.ledger()); n != 4 { // written anew: one line for each
		t.Errorf("%d lines", n)
	}
	x.write(s, "j.ts")
	if n := len(x.ledger()); n != 5 {
		t.Errorf("%d lines", n)
	}
}

// A ledger of nothing is removed, and comes again with the next file.
func TestALedgerIsThereWhileThereIsSomethingToRemember(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.holds()
	x.write(s, "a.ts")
	x.holds(LedgerName, "a.ts")
	s.Forget("a.ts")
	x.holds("a.ts")
	s.Forget("a.ts")
	x.holds("a.ts")
	x.write(s, "b.ts")
	x.holds(LedgerName, "a.ts", "b.ts")
	s.Close()
	if got := ours(x.open()); !slices.Equal(got, []string{"b.ts"}) {
		t.Errorf("%q", got)
	}
}

// A ledger is rewritten when it has a thousand lines more than four for each file.
func TestALedgerDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts", "b.ts")
	most := 0
	for i := range 2500 {
		s.Schedule(x.now.Add(time.Duration(i+1)*time.Second), "a.ts")
		if i >= 1000 && i < 1010 {
			most = max(most, len(x.ledger()))
		}
	}
	if most != ledgerSlack+4*2 {
		t.Errorf("the ledger had %d lines, want %d at most", most, ledgerSlack+4*2)
	}
	if n := len(x.ledger()); n > most {
		t.Errorf("it has %d", n)
	}
	s.Close()
	s = x.open()
	s.Each(func(r Entry, _ Numbers) {
		if want := x.now.Add(2500 * time.Second); r.Name == "a.ts" && !r.Removal().Equal(want) {
			t.Errorf("goes at %v, not %v", r.Removal(), want)
		}
	})
	if got := ours(s); !slices.Equal(got, []string{"a.ts", "b.ts"}) || len(x.ledger()) != 2 {
		t.Errorf("%q, %d lines", got, len(x.ledger()))
	}
}

// A disk that is full takes no new file: the ledger that is there goes on, behind the
// half line that a crash left.
func TestALedgerThatCantBeWrittenAnewGoesOn(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts")
	s.Close()
	name := filepath.Join(x.path, LedgerName)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(b, `{"n":"half.ts","k"`...), 0o600); err != nil {
		t.Fatal(err)
	}
	x.failAt("rename", LedgerName)
	s = x.open()
	x.write(s, "b.ts")
	s.Close()
	x.fault = func(string, string) error { return nil }
	if got := ours(x.open()); !slices.Equal(got, []string{"a.ts", "b.ts"}) {
		t.Errorf("%q", got)
	}
}

// A line that the disk took half of does not swallow the next one, however many tries
// fail after it.
func TestHalfALineIsSkippedAlone(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts")
	file := s.ledger.file
	defer file.Close()
	// A pipe takes some of many bytes, and says so when its time is over.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s.ledger.file = w
	many := make([]*Entry, 2000)
	for i := range many {
		many[i] = entryFor(fmt.Sprintf("a-%d.ts", i))
	}
	half := make([]byte, 1)
	begun := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(r, half)
		begun <- errors.Join(err, w.SetWriteDeadline(time.Now()))
	}()
	if err := s.ledger.put(many...); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	if err := s.ledger.put(entryFor("b.ts")); err == nil { // nothing of it is taken
		t.Fatal("no error")
	}
	_ = w.Close()
	rest, err := io.ReadAll(r)
	if half = append(half, rest...); err != nil || len(rest) == 0 || rest[len(rest)-1] == '\n' {
		t.Fatalf("%d bytes, %v", len(half), err)
	}
	if _, err := file.Write(half); err != nil {
		t.Fatal(err)
	}
	s.ledger.file = file
	if err := s.ledger.put(entryFor("c.ts")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	got := ours(x.open())
	if !slices.Contains(got, "c.ts") || slices.Contains(got, "b.ts") || len(got) < 100 {
		t.Errorf("%d names", len(got))
	}
}

// A ledger that can't be read makes the directory unusable: rtmpd would lose track of
// its files there.
func TestALedgerThatCantBeReadIsAnError(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	name := filepath.Join(x.path, LedgerName)
	if err := os.MkdirAll(name, 0o700); err != nil {
		t.Fatal(err)
	}
	s := x.store()
	err := s.Settle()
	if want := "test path " + x.path + ": ledger: " + LedgerName + " is not a regular file"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := s.Write(entryOf("a.ts"), nil, File{}); !errors.Is(err, errUnusable) {
		t.Errorf("a write: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	// So does one that is larger than any of ours.
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 64<<20+1); err != nil {
		t.Fatal(err)
	}
	if err := x.store().Settle(); !errors.Is(err, errTooLarge) {
		t.Errorf("64 MiB and a byte: %v", err)
	}
}

// A ledger that can't be opened or written says why, and what failed leaves no trace in
// it.
func TestALedgerThatCantBeWritten(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	name := filepath.Join(x.path, LedgerName)
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(entryOf("a.ts"), nil, File{}); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	x.write(s, "a.ts")
	_ = s.ledger.file.Close() // nothing of the next line is taken
	if err := s.Write(entryOf("b.ts"), nil, File{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
	s.ledger.file = nil
	x.write(s, "c.ts")
	if lines := x.ledger(); len(lines) != 2 || lines[1].Name != "c.ts" {
		t.Errorf("%+v", lines)
	}
}
