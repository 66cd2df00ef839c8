package control

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"
)

// ownDir creates the directory of the control socket, or checks that an existing one
// belongs to this user alone: in /tmp another user may have created it to answer, or
// to receive, our requests.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	fi, err := trusted(dir, func(uid int) bool { return uid == os.Geteuid() })
	if err != nil {
		return err
	}
	if fi.Mode().Perm()&0o077 != 0 { // the mode that systemd sets by default
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// askable returns an error unless answers from a socket in dir can be trusted: the
// directory belongs to this user or to root. root trusts every owner, such as the
// service's user.
func askable(dir string) error {
	self := os.Geteuid()
	_, err := trusted(dir, func(uid int) bool { return uid == self || uid == 0 || self == 0 })
	return err
}

// trusted returns the state of dir if it is a directory, owner accepts its owner, and
// nobody else may write in it.
func trusted(dir string, owner func(uid int) bool) (fs.FileInfo, error) {
	fi, err := os.Lstat(dir)
	if err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		if !owner(uidOf(fi)) && uidOf(fi) != 0 {
			return nil, fmt.Errorf("%s is a link that belongs to uid %d", dir, uidOf(fi))
		}
		fi, err = os.Stat(dir)
	}
	switch {
	case err != nil:
		return nil, err
	case !fi.IsDir():
		return nil, fmt.Errorf("%s is no directory", dir)
	case !owner(uidOf(fi)):
		return nil, fmt.Errorf("%s belongs to uid %d, not to this user (uid %d): remove it, or set runtime_dir to another", dir, uidOf(fi), os.Geteuid())
	case fi.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("others may write in %s: chmod 700 it, or set runtime_dir to another", dir)
	}
	return fi, nil
}

// uidOf returns a file's owner; our own where the system has no owners.
func uidOf(fi fs.FileInfo) int {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return os.Geteuid()
}

// printable removes control characters from s: clients choose parts of the answers, and a
// terminal would execute escape sequences in them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
