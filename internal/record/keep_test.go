package record

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// visible are the files of a directory without the ledger.
func visible(t *testing.T, dir string) string {
	t.Helper()
	return strings.Join(slices.DeleteFunc(files(t, dir), func(name string) bool { return name == ledgerName }), " ")
}

// write makes a file that is no recorder's.
func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// keep_size deletes the oldest recordings of this recorder, and nothing else: no
// file of somebody else, not even where one of ours was, and no file of another
// recorder.
func TestKeepSizeDeletesOwnRecordingsOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := new(Store)
	write(t, filepath.Join(dir, "cam+99.flv"))
	other := newBench(t, config.Record{Name: "other", Path: value.Path(dir), Suffix: "-other.flv", KeepSize: 1 << 30}, store)
	other.feed("kp")
	other.end()
	cfg := config.Record{Name: "all", Path: value.Path(dir), MaxFrames: 2, KeepSize: 3000}
	b := newBench(t, cfg, store)
	b.feed("kpkpkpkp") // some 800 bytes each
	if err := os.Remove(filepath.Join(dir, "cam+2.flv")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cam+2.flv")) // somebody put another one there
	b.feed("kpkpkpkpkpkpkp")
	size := int64(0)
	for _, f := range strings.Fields(visible(t, dir)) {
		if info, err := os.Stat(filepath.Join(dir, f)); err == nil && !strings.Contains(f, "other") {
			size += info.Size()
		}
	}
	b.end()
	got := visible(t, dir)
	if strings.Contains(got, "cam.flv") || !strings.Contains(got, "cam+2.flv") || !strings.Contains(got, "cam+99.flv") || !strings.Contains(got, "cam-other.flv") || !strings.Contains(got, "cam+10.flv") {
		t.Errorf("there are %s", got)
	}
	for _, f := range []string{"cam+2.flv", "cam+99.flv"} {
		if text, _ := os.ReadFile(filepath.Join(dir, f)); string(text) != "mine" {
			t.Errorf("%s is not what somebody put there", f)
		}
	}
	if size > 4000 || size < 1500 {
		t.Errorf("%d bytes are kept", size)
	}
}

// keep_for deletes what is too old, with the directories that become empty, however
// often rtmpd was started in between.
func TestKeepForDeletesOldRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config.Record{Name: "all", Path: value.Path(dir), Suffix: "/%Y-%m-%d/x.flv", KeepFor: 24 * time.Hour}
	b := newBench(t, cfg, new(Store))
	b.feed("kp")
	b.end()
	b = newBench(t, cfg, new(Store))
	b.now = b.now.Add(30 * time.Hour)
	b.feed("kp")
	if got := visible(t, dir); got != "cam/2026-03-04/x.flv cam/2026-03-05/x.flv" {
		t.Errorf("there are %s", got)
	}
	store := b.r.o.Store
	sweep := func(now time.Time) []string {
		t.Helper()
		deleted, err := store.Sweep(&cfg, "live", now)
		if err != nil {
			t.Fatal(err)
		}
		return deleted
	}
	if got := sweep(b.now); !slices.Equal(got, []string{"cam/2026-03-04/x.flv"}) {
		t.Errorf("deleted %v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "cam/2026-03-04")); err == nil {
		t.Error("the empty directory is still there")
	}
	if got := sweep(b.now.Add(1000 * time.Hour)); len(got) != 0 {
		t.Errorf("deleted %v, which is being written", got)
	}
	b.end()
	if got := sweep(b.now.Add(25 * time.Hour)); len(got) != 1 {
		t.Errorf("deleted %v", got)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("there are %v", got)
	}
}

// A ledger that somebody wrote deletes nothing outside the directory, nothing
// hidden, and no link.
func TestAForgedLedgerDeletesNothing(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "rec")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"victim", "rec/.hidden", "rec/theirs.flv"} {
		write(t, filepath.Join(base, f))
	}
	if err := os.Symlink("../victim", filepath.Join(dir, "link.flv")); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, name := range []string{"../victim", filepath.Join(base, "victim"), ".hidden", "link.flv", "theirs.flv", "", "a/../../victim"} {
		info, err := os.Stat(filepath.Join(base, "victim"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "{\"n\":%q,\"o\":\"live/all\",\"i\":%d,\"t\":1,\"s\":4}\n{torn", name, inode(info))
	}
	if err := os.WriteFile(filepath.Join(dir, ledgerName), []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	store := new(Store)
	deleted, err := store.Sweep(&config.Record{Name: "all", Path: value.Path(dir), KeepFor: time.Second, KeepSize: 1}, "live", time.Now())
	if len(deleted) > 0 || err != nil {
		t.Errorf("deleted %v, %v", deleted, err)
	}
	for _, f := range []string{"victim", "rec/.hidden", "rec/theirs.flv", "rec/link.flv"} {
		if _, err := os.Lstat(filepath.Join(base, f)); err != nil {
			t.Error(err)
		}
	}
}

// The size that is listed is the file's, in every format: else it would be taken for
// another file, and stay for ever.
func TestTheListedSizeIsTheFiles(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"flv", "mp4", "mkv", "ts"} {
		dir := t.TempDir()
		cfg := config.Record{Name: "all", Path: value.Path(dir), Format: format, KeepFor: time.Hour}
		b := newBench(t, cfg, nil)
		b.feed("kapapakapa" + strings.Repeat("pa", 40))
		b.end()
		if deleted, err := b.r.o.Store.Sweep(&cfg, "live", b.now.Add(2*time.Hour)); len(deleted) != 1 || err != nil {
			t.Errorf("%s: deleted %v, %v", format, deleted, err)
		}
	}
}
