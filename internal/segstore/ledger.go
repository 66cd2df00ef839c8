package segstore

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// An Entry is one line of a ledger: what rtmpd knows about one file (or
// directory) it wrote. The last line about a name holds.
type Entry struct {
	Name   string `json:"n"`
	Kind   string `json:"k"` // EntryKind.Name, or kindDirectory
	App    string `json:"a,omitempty"`
	Stream string `json:"s,omitempty"`
	Seq    uint64 `json:"q,omitempty"`    // segment: media sequence number; retired: the next one
	Disc   uint64 `json:"d,omitempty"`    // retired: the discontinuity sequence number
	Keep   int64  `json:"keep,omitempty"` // ms it stays after the stream's end; 0 for ever
	Remove int64  `json:"x,omitempty"`    // Unix ms when it goes; 0 not yet
	Gone   bool   `json:"gone,omitempty"` // no longer ours
}

// An EntryKind is what the entries of one kind have in common.
type EntryKind struct {
	Name   string // in the ledger
	Suffix string // all names of the kind end in it
	Order  int    // files that are due at the same time are removed in this order
	Marker bool   // there is no file of that name, only the entry
}

// KindDirectory is the kind of the directories that a Dir made. They are removed last.
const KindDirectory = "dir"

const (
	// LedgerName begins the file names of ledgers.
	LedgerName    = ".rtmpd-ledger"
	maxLedgerSize = 64 << 20
	ledgerSlack   = 1000 // lines beyond four a file before it is rewritten
)

// GraceFrom is when a file goes whose stream ended at t; zero for never.
func (r *Entry) GraceFrom(t time.Time) time.Time {
	if r.Keep == 0 {
		return time.Time{}
	}
	return t.Add(time.Duration(r.Keep) * time.Millisecond)
}

// Removal is when the file goes; zero: that is not settled.
func (r *Entry) Removal() time.Time {
	if r.Remove == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.Remove)
}

// A ledger remembers on disk which files are ours, so that clean-up after a
// crash deletes those and nothing else. A name is recorded before the file is
// created. It is append-only text, rewritten when it has grown; it exists while
// there is something to remember.
type ledger struct {
	disk  *disk
	name  string
	kinds []EntryKind

	// mu orders lines on disk; it is held over small appends on purpose.
	mu    sync.Mutex
	file  *os.File
	lines int
	torn  bool              // the last line on disk is half a line
	live  map[string]*Entry // not changed: see file.entry
}

// openLedger reads what an earlier process left.
func openLedger(k *disk, name string, kinds []EntryKind) (*ledger, error) {
	l := &ledger{disk: k, name: name, kinds: kinds, live: make(map[string]*Entry)}
	b, _, err := k.read(name, maxLedgerSize)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l.replay(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	// A torn last line must not swallow the next one. A full disk takes no
	// new file, but its old one serves on.
	if err := l.rewriteLocked(); err != nil {
		l.torn = true
	}
	return l, nil
}

func (l *ledger) replay(b []byte) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		var r Entry
		if json.Unmarshal(lines.Bytes(), &r) != nil || !l.valid(&r) {
			continue // torn, or not ours: a file that we don't know is not deleted
		}
		l.apply(&r)
	}
}

// valid says whether r can be an entry of ours.
func (l *ledger) valid(r *Entry) bool {
	if !CleanName(r.Name) {
		return false
	}
	if r.Gone || r.Kind == KindDirectory { // what is gone has no kind: see Dir.Forget
		return true
	}
	i := kindIndex(l.kinds, r.Kind)
	return i >= 0 && strings.HasSuffix(r.Name, l.kinds[i].Suffix)
}

func kindIndex(kinds []EntryKind, name string) int {
	return slices.IndexFunc(kinds, func(k EntryKind) bool { return k.Name == name })
}

func (l *ledger) apply(r *Entry) {
	if r.Gone {
		delete(l.live, r.Name)
	} else {
		l.live[r.Name] = r
	}
}

// put appends lines; when it returns nil they survive the end of the process.
func (l *ledger) put(entries ...*Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.disk.step("ledger", l.name); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	var b bytes.Buffer
	if l.torn {
		b.WriteByte('\n') // so that the half line is skipped alone
	}
	for _, r := range entries {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	if l.file == nil {
		if err := l.openLocked(); err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}
	n, err := l.file.Write(b.Bytes())
	l.torn = err != nil && (l.torn || n > 0)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	for _, r := range entries {
		l.apply(r)
	}
	l.lines += len(entries)
	if len(l.live) == 0 || l.lines > ledgerSlack+4*len(l.live) {
		_ = l.rewriteLocked() // else the long one serves on
	}
	return nil
}

func (l *ledger) openLocked() error {
	root, err := l.disk.dir()
	if err != nil {
		return err
	}
	f, err := root.OpenFile(l.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fileMode)
	if err == nil {
		l.file = f
	}
	return err
}

// rewriteLocked leaves one line for each thing remembered, or no file.
func (l *ledger) rewriteLocked() error {
	if len(l.live) == 0 {
		l.closeLocked()
		l.lines = 0
		return l.disk.remove(l.name)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, r := range l.live {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	if err := l.disk.replace(l.name, b.Bytes()); err != nil {
		return err
	}
	l.closeLocked()
	l.lines, l.torn = len(l.live), false
	return l.openLocked()
}

func (l *ledger) closeLocked() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}

func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeLocked()
}
