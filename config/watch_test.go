package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// watching runs a Watcher until the test ends. It returns once everything is
// watched; each change is one value.
func watching(t *testing.T, paths func() []string) <-chan struct{} {
	t.Helper()
	return watchingEvery(t, time.Hour, paths)
}

func watchingEvery(t *testing.T, interval time.Duration, paths func() []string) <-chan struct{} {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.FailNow()
		}
	}()
	asked := make(chan struct{}, 1000)
	calls := make(chan struct{}, 1000)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	seen := Read(paths())
	w := &Watcher{
		Seen: func() Reading {
			select {
			case asked <- struct{}{}:
			default:
			}
			return seen
		},
		Changed:  func() { seen = Read(paths()); calls <- struct{}{} },
		Debounce: 20 * time.Millisecond, Interval: interval,
		Blind: func(err error) { t.Errorf("no events: %v", err) },
	}
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		goleak.VerifyNone(t, goleak.IgnoreCurrent())
	})
	for range 2 { // at the start, and at the first look
		await(t, asked, "the first look")
	}
	return calls
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatalf("waited in vain for %s", what)
	}
}

func fixed(paths ...string) func() []string { return func() []string { return paths } }

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatchSeesHowFilesAreSaved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rtmpd.hcl")
	put(t, path, "0")
	calls := watching(t, fixed(path))
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"written in place", func() { put(t, path, "1") }},
		{"written aside and renamed", func() {
			put(t, filepath.Join(dir, ".rtmpd.hcl.swp"), "2")
			must(t, os.Rename(filepath.Join(dir, ".rtmpd.hcl.swp"), path))
		}},
		{"moved away and written anew", func() {
			must(t, os.Rename(path, path+"~"))
			put(t, path, "3")
		}},
		{"written in place again", func() { put(t, path, "4") }},
		{"removed", func() { must(t, os.Remove(path)) }},
		{"back", func() { put(t, path, "5") }},
	} {
		step.do()
		await(t, calls, step.name)
		// Moving away and writing may have been seen as two changes.
		for len(calls) > 0 {
			<-calls
		}
	}
}

func TestWatchIgnoresWhatChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rtmpd.hcl")
	put(t, path, "0")
	calls := watching(t, fixed(path))
	put(t, filepath.Join(dir, "access.log"), "x")
	put(t, filepath.Join(dir, "other.hcl"), "x")
	put(t, filepath.Join(dir, "aside"), "0")
	must(t, os.Rename(filepath.Join(dir, "aside"), path)) // the same content
	must(t, os.Chmod(path, 0o644))
	put(t, path, "1")
	await(t, calls, "the one change")
	put(t, path, "2")
	await(t, calls, "another")
	if n := len(calls); n != 0 {
		t.Errorf("%d calls too many", n)
	}
}

func TestWatchFollowsASymlinkSwap(t *testing.T) {
	// Kubernetes: rtmpd.hcl -> ..data/rtmpd.hcl, ..data -> ..v1, replaced by rename.
	dir := t.TempDir()
	for _, v := range []string{"v1", "v2", "v3"} {
		must(t, os.Mkdir(filepath.Join(dir, ".."+v), 0o755))
		put(t, filepath.Join(dir, ".."+v, "rtmpd.hcl"), v)
	}
	must(t, os.Symlink("..v1", filepath.Join(dir, "..data")))
	path := filepath.Join(dir, "rtmpd.hcl")
	must(t, os.Symlink("..data/rtmpd.hcl", path))
	calls := watching(t, fixed(path))
	for _, v := range []string{"v2", "v3", "v1"} {
		must(t, os.Symlink(".."+v, filepath.Join(dir, "..tmp")))
		must(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
		await(t, calls, "the swap to "+v)
	}
	put(t, filepath.Join(dir, "..v1", "rtmpd.hcl"), "changed behind the links")
	await(t, calls, "a change behind the links")
}

func TestWatchSeesADirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf.d")
	must(t, os.Mkdir(dir, 0o755))
	put(t, filepath.Join(dir, "a.hcl"), "1")
	calls := watching(t, fixed(dir, filepath.Join(dir, "a.hcl")))
	put(t, filepath.Join(dir, "README"), "not one of ours")
	put(t, filepath.Join(dir, "b.hcl"), "new")
	await(t, calls, "a new file")
	for len(calls) > 0 { // created, then written
		<-calls
	}
	put(t, filepath.Join(dir, "a.hcl"), "2")
	await(t, calls, "a changed file")
	must(t, os.Remove(filepath.Join(dir, "b.hcl")))
	await(t, calls, "a removed file")
	// The whole directory replaced by another one.
	other := dir + ".new"
	must(t, os.Mkdir(other, 0o755))
	put(t, filepath.Join(other, "a.hcl"), "3")
	must(t, os.Rename(dir, dir+".old"))
	must(t, os.Rename(other, dir))
	await(t, calls, "another directory of the name")
	for len(calls) > 0 {
		<-calls
	}
	put(t, filepath.Join(dir, "a.hcl"), "4")
	await(t, calls, "a change in the other directory")
}

func TestWatchAsksAgainWhatToWatch(t *testing.T) {
	dir := t.TempDir()
	config, secret := filepath.Join(dir, "rtmpd.hcl"), filepath.Join(dir, "later", "secret")
	put(t, config, "0")
	var mu sync.Mutex
	list := []string{config}
	calls := watching(t, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return list
	})
	// From the next load on there is a file that does not exist yet, nor its directory.
	mu.Lock()
	list = []string{config, secret}
	mu.Unlock()
	put(t, config, "1")
	await(t, calls, "the config")
	must(t, os.Mkdir(filepath.Dir(secret), 0o755))
	put(t, secret, "s")
	await(t, calls, "the secret")
}

func TestWatchWithoutAnythingToWatchEndsWithItsContext(t *testing.T) {
	watching(t, fixed())
}

func TestWatchSeesAFileWrittenByAnotherName(t *testing.T) {
	// A file that is bind mounted into a container is saved in place on the host.
	dir, host := t.TempDir(), t.TempDir()
	path, other := filepath.Join(dir, "rtmpd.hcl"), filepath.Join(host, "rtmpd.hcl")
	put(t, other, "0")
	must(t, os.Link(other, path))
	calls := watching(t, fixed(path))
	for _, content := range []string{"1", "22", "3"} {
		put(t, other, content)
		await(t, calls, "content "+content)
	}
}

func TestWatchLooksWhereNoEventComes(t *testing.T) {
	// The directory above is exchanged: nothing happens in the directory that is
	// watched.
	dir := t.TempDir()
	for _, v := range []string{"live", "next"} {
		must(t, os.MkdirAll(filepath.Join(dir, v, "etc"), 0o755))
		put(t, filepath.Join(dir, v, "etc", "keys"), v)
	}
	calls := watchingEvery(t, 10*time.Millisecond, fixed(filepath.Join(dir, "live", "etc", "keys")))
	must(t, os.Rename(filepath.Join(dir, "live"), filepath.Join(dir, "old")))
	must(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "live")))
	await(t, calls, "the other directory")
}

func TestWatchGoesOnWithoutEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rtmpd.hcl")
	put(t, path, "0")
	seen := Read([]string{path})
	calls := make(chan struct{}, 1)
	blind := make(chan error, 1)
	w := &Watcher{
		Seen:     func() Reading { return seen },
		Changed:  func() { seen = Read([]string{path}); calls <- struct{}{} },
		Interval: 10 * time.Millisecond, Debounce: time.Hour,
		Blind: func(err error) { blind <- err },
	}
	l := &lookout{watched: make(map[string]bool)}
	must(t, l.open())
	w.lost(l, errors.New("no more"))
	if err := <-blind; err == nil || l.events != nil {
		t.Fatalf("told %v, events %v", err, l.events)
	}
	l.follow([]string{path}) // to no effect
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	put(t, path, "1")
	await(t, calls, "a change without an event in time")
	cancel()
	<-done
}

// Nothing is read while events still come: a file may be half written. Here they are
// never quiet for long enough.
func TestWatchWaitsUntilEventsAreQuiet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rtmpd.hcl")
	put(t, path, "0")
	seen := Read([]string{path})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed, done := make(chan struct{}, 100), make(chan error, 1)
	w := &Watcher{
		Seen: func() Reading { return seen }, Changed: func() { changed <- struct{}{} },
		Debounce: time.Hour, Interval: time.Hour, Blind: func(err error) { t.Errorf("no events: %v", err) },
	}
	go func() { done <- w.Run(ctx) }()
	for i := range 20 { // watching begins at some point
		put(t, path, string(rune('a'+i)))
		select {
		case <-changed:
			t.Fatal("the file was read as soon as an event came")
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
