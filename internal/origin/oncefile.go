package origin

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/viewers"
)

// An onceFile keeps in the state directory which tokens for one viewer have been used: a
// line each, of the hashes of the token's id and of who used it, and of the Unix time until
// which that matters. Neither can be guessed from its hash.
type onceFile struct {
	dir    string // empty: nothing is kept
	log    *zap.Logger
	lines  int // in the file
	failed bool
}

const (
	onceFileName = "once-tokens"
	// maxOnceFile bounds what is read: twice as many lines as there may be tokens.
	maxOnceFile = 2 * maxOnceTokens * (4*len(viewers.Key{}) + 16)
)

// read returns the tokens that have not expired.
func (f *onceFile) read(now time.Time) map[viewers.Key]usedToken {
	used := make(map[viewers.Key]usedToken)
	if f.dir == "" {
		return used
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		f.fail(ignoreAbsent(err))
		return used
	}
	defer root.Close()
	file, err := root.Open(onceFileName)
	if err != nil {
		f.fail(ignoreAbsent(err))
		return used
	}
	defer file.Close()
	scan := bufio.NewScanner(io.LimitReader(file, int64(maxOnceFile)))
	for scan.Scan() && len(used) < maxOnceTokens {
		f.lines++
		if id, u, ok := parseOnce(scan.Bytes()); ok && now.Before(u.until) {
			used[id] = u
		}
	}
	return used
}

// add keeps one more token; all are those that there are.
func (f *onceFile) add(id viewers.Key, u usedToken, all map[viewers.Key]usedToken) {
	if f.dir == "" {
		return
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		f.fail(err)
		return
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		f.fail(err)
		return
	}
	defer root.Close()
	if f.lines > 2*len(all)+64 {
		f.fail(f.renew(root, all))
		return
	}
	f.lines++
	f.fail(writeOnce(root, onceFileName, os.O_APPEND, appendOnce(nil, id, u)))
}

// renew writes the file anew, without the tokens that have expired.
func (f *onceFile) renew(root *os.Root, all map[viewers.Key]usedToken) error {
	var b []byte
	for id, u := range all {
		b = appendOnce(b, id, u)
	}
	const next = onceFileName + ".new"
	if err := writeOnce(root, next, os.O_TRUNC, b); err != nil {
		return err
	}
	f.lines = len(all)
	return root.Rename(next, onceFileName)
}

func writeOnce(root *os.Root, name string, how int, b []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|how, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	return errors.Join(err, file.Close())
}

// fail logs the first of the errors: the tokens are then remembered until the next stop.
func (f *onceFile) fail(err error) {
	if err == nil || f.failed {
		return
	}
	f.failed = true
	f.log.Error("which tokens for one viewer have been used is not known any more after a restart", zap.String("directory", f.dir), zap.Error(err))
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func appendOnce(b []byte, id viewers.Key, u usedToken) []byte {
	return fmt.Appendf(b, "%x %x %d\n", id[:], u.by[:], u.until.Unix())
}

// parseOnce reads a line. A torn one is none.
func parseOnce(line []byte) (id viewers.Key, u usedToken, ok bool) {
	fields := bytes.Fields(line)
	if len(fields) != 3 || len(fields[0]) != 2*len(id) || len(fields[1]) != 2*len(u.by) {
		return id, u, false
	}
	var unix int64
	_, err1 := hex.Decode(id[:], fields[0])
	_, err2 := hex.Decode(u.by[:], fields[1])
	_, err3 := fmt.Sscan(string(fields[2]), &unix)
	u.until = time.Unix(unix, 0)
	return id, u, errors.Join(err1, err2, err3) == nil
}
