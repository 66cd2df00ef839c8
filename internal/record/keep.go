package record

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
)

// ledgerName is the file, beside the recordings, that lists those of recorders with
// keep_for, keep_size, index or playlist. What is not in it is never deleted.
const ledgerName = ".rtmpd-recordings"

// maxLedger bounds it.
const maxLedger = 64 << 20

// A listed file is one line of a ledger. The last line about a name holds.
type listed struct {
	Name  string `json:"n"`
	Owner string `json:"o"`           // application and recorder
	Inode uint64 `json:"i"`           // of the file that was made
	Ended int64  `json:"t,omitempty"` // Unix ms; 0: it is open, or its process was killed
	Size  int64  `json:"s,omitempty"` // when it ended
	Gone  bool   `json:"gone,omitempty"`

	Stream   string `json:"st,omitempty"`
	Began    int64  `json:"b,omitempty"` // Unix ms
	Length   int64  `json:"d,omitempty"` // ms
	Sequence int64  `json:"q,omitempty"` // of the stream's recordings, from 1
	Over     bool   `json:"e,omitempty"` // the stream ended with it
}

// owner names the recorder whose files go together.
func owner(app, recorder string) string { return app + "/" + recorder }

// keeps reports whether files of cfg are deleted some day.
func keeps(cfg *config.Record) bool { return cfg.KeepFor > 0 || cfg.KeepSize > 0 }

// list writes down that f is, or was, a recording of r's.
func (r *Recorder) list(f *file, ended bool) {
	if !r.lists() {
		return
	}
	e := listed{Name: f.name, Owner: owner(r.o.App, r.cfg.Name), Inode: f.inode, Stream: r.o.Stream, Began: r.opened.UnixMilli()}
	if ended {
		e.Ended, e.Size, e.Length, e.Over = r.o.Now().UnixMilli(), f.w.Written(), f.w.Duration().Milliseconds(), r.ending
		e.Sequence = r.nextSequence()
	}
	if err := r.o.Store.appendLedger(string(r.cfg.Path), e); err != nil {
		r.log.Warn("recording not listed: keep_for and keep_size will not delete it, no index names it", zap.String("path", f.path), zap.Error(err))
	}
}

// appendLedger adds a line.
func (s *Store) appendLedger(dir string, e listed) error {
	s.ledgers.Lock()
	defer s.ledgers.Unlock()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.OpenFile(ledgerName, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	line, err := json.Marshal(e)
	if err == nil {
		// Behind half a line, which a full disk has left, it is one of its own.
		_, err = f.Write(slices.Concat([]byte("\n"), line, []byte("\n")))
	}
	return errors.Join(err, f.Close())
}

// readLedger returns the files that a ledger lists, and how many lines it has.
func readLedger(root *os.Root) (files map[string]listed, lines int, err error) {
	f, err := root.Open(ledgerName)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxLedger {
		return nil, 0, errors.Join(err, fmt.Errorf("%s is larger than %d MiB", ledgerName, maxLedger>>20))
	}
	files = make(map[string]listed)
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		var e listed
		if len(scan.Bytes()) == 0 {
			continue
		}
		lines++
		if json.Unmarshal(scan.Bytes(), &e) != nil || checkName(e.Name) != nil {
			continue // torn, or not ours: what can't be read is not deleted
		}
		if e.Gone {
			delete(files, e.Name)
		} else {
			files[e.Name] = e
		}
	}
	return files, lines, scan.Err()
}

// Sweep deletes the recordings of a recorder that keep_for and keep_size say are
// too old, or too much, the oldest first: only files that are listed and still the
// ones that were made, and none that is open. It returns their names.
func (s *Store) Sweep(cfg *config.Record, app string, now time.Time) (deleted []string, err error) {
	if !keeps(cfg) {
		return nil, nil
	}
	s.ledgers.Lock()
	defer s.ledgers.Unlock()
	root, err := os.OpenRoot(string(cfg.Path))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	defer root.Close()
	all, lines, err := readLedger(root)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	type found struct {
		listed
		size int64
		open bool
	}
	var mine []found
	var total int64
	for name, e := range all {
		if e.Owner != owner(app, cfg.Name) {
			continue
		}
		info, err := root.Lstat(name)
		if err != nil || !info.Mode().IsRegular() || inode(info) != e.Inode || e.Ended > 0 && info.Size() != e.Size {
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				delete(all, name) // it is another file now, and not ours
			}
			continue
		}
		x := found{listed: e, size: info.Size(), open: s.isOpen(string(cfg.Path), name)}
		if x.Ended == 0 {
			x.Ended = info.ModTime().UnixMilli()
		}
		total += x.size
		mine = append(mine, x)
	}
	slices.SortFunc(mine, func(a, b found) int { return cmp.Or(cmp.Compare(a.Ended, b.Ended), cmp.Compare(a.Name, b.Name)) })
	for _, x := range mine {
		old := cfg.KeepFor > 0 && now.Sub(time.UnixMilli(x.Ended)) > cfg.KeepFor
		much := cfg.KeepSize > 0 && total > int64(cfg.KeepSize)
		if x.open || !old && !much {
			continue
		}
		if rerr := root.Remove(x.Name); rerr != nil {
			err = errors.Join(err, rerr)
			continue
		}
		total -= x.size
		delete(all, x.Name)
		deleted = append(deleted, x.Name)
		// Directories of dates go with their last file.
		for dir := path.Dir(x.Name); dir != "." && root.Remove(dir) == nil; {
			dir = path.Dir(dir)
		}
	}
	if lines > 2*len(all)+64 || len(all) == 0 {
		err = errors.Join(err, rewriteLedger(root, all))
	}
	return deleted, err
}

// rewriteLedger leaves a line for each file, or no ledger.
func rewriteLedger(root *os.Root, all map[string]listed) error {
	if len(all) == 0 {
		return ignoreMissing(root.Remove(ledgerName))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range all {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	const aside = ledgerName + ".new"
	if err := root.WriteFile(aside, b.Bytes(), fileMode); err != nil {
		return errors.Join(err, ignoreMissing(root.Remove(aside)))
	}
	return root.Rename(aside, ledgerName)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
