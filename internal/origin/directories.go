package origin

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/dash"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Directories are the paths of outputs in use, one packager.Directory for each: who writes
// below it and what is still to be cleaned up there. HTTP asks it which files
// are live.
type Directories struct {
	log     *zap.Logger
	metrics *packager.Metrics // of all of them

	mu     sync.RWMutex
	byPath map[string]*Directory
	done   sync.WaitGroup
}

// A Directory is one of them.
type Directory struct {
	*packager.Directory
	hls  *hls.Directory
	dash *dash.Directory
	path string
	refs int // guarded by Directories.mu: configurations and packagers
	stop context.CancelFunc
}

func newDirectories(log *zap.Logger) *Directories {
	return &Directories{log: log, metrics: packager.NewMetrics(), byPath: make(map[string]*Directory)}
}

// Open returns the directory of path, created if need be, and holds it until
// Release. what is the block that names it.
func (ds *Directories) Open(what, path string) (*Directory, error) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d := ds.byPath[path]
	if d == nil {
		h, m := hls.NewDirectory(), dash.NewDirectory()
		p, err := packager.OpenDirectory(path, packager.DirectoryOptions{What: what, Log: ds.log, Metrics: ds.metrics, Formats: []packager.Format{h, m}})
		if err != nil {
			return nil, err
		}
		ctx, stop := context.WithCancel(context.Background())
		d = &Directory{Directory: p, hls: h, dash: m, path: path, stop: stop}
		ds.byPath[path] = d
		ds.done.Go(func() {
			if err := p.Run(ctx); err != nil && ctx.Err() == nil {
				ds.log.Error("clean-up stopped", zap.String("path", path), zap.Error(err))
			}
			p.Close()
		})
	}
	d.refs++
	return d, nil
}

// Release lets go of a directory. It stays until nothing of ours is left in it.
func (ds *Directories) Release(d *Directory) {
	if d == nil {
		return
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d.refs--
}

// Sweep closes the directories that nobody holds and that are clean.
func (ds *Directories) Sweep() {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for path, d := range ds.byPath {
		if d.refs == 0 && d.Empty() {
			delete(ds.byPath, path)
			d.stop()
		}
	}
}

const sweepInterval = 10 * time.Second

func (ds *Directories) run(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			ds.Sweep()
		}
	}
}

// Close ends every cleaner; what is left is swept at the next start.
func (ds *Directories) Close() {
	ds.mu.Lock()
	for _, d := range ds.byPath {
		d.stop()
	}
	ds.mu.Unlock()
	ds.done.Wait()
}

// Lookup implements web.Live: absPath is a cleaned absolute path.
func (ds *Directories) Lookup(absPath string) (segstore.File, bool) {
	ds.mu.RLock()
	defer ds.mu.RUnlock()
	for dir := filepath.Dir(absPath); ; dir = filepath.Dir(dir) {
		if d := ds.byPath[dir]; d != nil {
			return d.Directory.Lookup(filepath.ToSlash(strings.TrimPrefix(absPath[len(dir):], "/")))
		}
		if dir == "/" || dir == "." {
			break
		}
	}
	for _, d := range ds.byPath {
		if f, ok := d.LookupKey(absPath); ok {
			return f, true
		}
	}
	return segstore.File{}, false
}

// Hinted implements web.Hinter.
func (ds *Directories) Hinted(ctx context.Context, absPath string) (segstore.File, bool) {
	in, name := ds.in(absPath)
	if in == nil {
		return segstore.File{}, false
	}
	return in.Directory.Hinted(ctx, name)
}

// StopWaits ends the waits for what low latency has not shown yet, for good.
func (ds *Directories) StopWaits() {
	ds.mu.RLock()
	defer ds.mu.RUnlock()
	for _, d := range ds.byPath {
		d.StopWaits()
	}
}

// in finds the directory of a path, and the name in it.
func (ds *Directories) in(absPath string) (*Directory, string) {
	ds.mu.RLock()
	defer ds.mu.RUnlock()
	for dir := filepath.Dir(absPath); ; dir = filepath.Dir(dir) {
		if in := ds.byPath[dir]; in != nil {
			return in, filepath.ToSlash(strings.TrimPrefix(absPath[len(dir):], "/"))
		}
		if dir == "/" || dir == "." {
			return nil, ""
		}
	}
}

// Wait returns what Lookup does, as soon as there is such a file in a directory that is
// in use. Errors: ctx.Err(); errNoDirectory.
func (ds *Directories) Wait(ctx context.Context, absPath string) (segstore.File, error) {
	in, name := ds.in(absPath)
	if in == nil {
		return segstore.File{}, errNoDirectory
	}
	return in.Directory.Wait(ctx, name)
}

var errNoDirectory = errors.New("no path of an output in use")

// Streams implements web.Live.
func (ds *Directories) Streams(absDir string) []string {
	ds.mu.RLock()
	d := ds.byPath[absDir]
	ds.mu.RUnlock()
	if d == nil {
		return nil
	}
	return d.Directory.Streams()
}

// Paths implements web.Live.
func (ds *Directories) Paths() []string {
	ds.mu.RLock()
	defer ds.mu.RUnlock()
	paths := make([]string, 0, len(ds.byPath))
	for p := range ds.byPath {
		paths = append(paths, p)
	}
	return paths
}

// Metrics are of all directories.
func (ds *Directories) Metrics() *packager.Metrics { return ds.metrics }
