package web

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// maxListed is the most entries that are listed.
const maxListed = 5000

// list answers with the entries of a directory, without dotfiles, keys and files that
// are not served.
func (x *exchange) list(l *location, urlPath, name string, m *mount, in string) {
	entries, err := x.readDir(l.tree, name, m, in)
	if err != nil {
		x.openFailed(l, urlPath, err)
		return
	}
	// Links are relative, so that a proxy may add or strip a prefix. Without
	// a final slash a browser resolves them against the parent.
	prefix := ""
	if !strings.HasSuffix(urlPath, "/") {
		prefix = path.Base(urlPath) + "/"
	}
	var b bytes.Buffer
	title := html.EscapeString(urlPath)
	fmt.Fprintf(&b, "<!doctype html>\n<html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>%s</title></head>\n<body><h1>%s</h1>\n<table>\n", title, title)
	if urlPath != "/" && urlPath != l.path {
		fmt.Fprintf(&b, "<tr><td><a href=\"%s\">../</a></td></tr>\n", html.EscapeString(ref(prefix+"../")))
	}
	for i, e := range entries {
		if i == maxListed {
			fmt.Fprintf(&b, "<tr><td>and %d more</td></tr>\n", len(entries)-maxListed)
			break
		}
		label := e.Name()
		size := fmt.Sprint(e.Size())
		if e.IsDir() {
			label += "/"
			size = "-"
		}
		fmt.Fprintf(&b, "<tr><td><a href=\"%s\">%s</a></td><td>%s</td><td align=\"right\">%s</td></tr>\n",
			html.EscapeString(ref(prefix+label)), html.EscapeString(label), e.ModTime().UTC().Format("2006-01-02 15:04:05"), size)
	}
	b.WriteString("</table></body></html>\n")
	h := x.Header()
	h["Content-Type"] = typeHTML
	l.setCache(h, cacheNo)
	l.setExtra(h)
	x.send(bytes.NewReader(b.Bytes()), time.Time{})
}

// ref returns a relative reference to a path. "./" keeps a browser from taking a name
// with a colon for a scheme.
func ref(p string) string {
	return "./" + strings.TrimPrefix((&url.URL{Path: p}).EscapedPath(), "./")
}

func (x *exchange) readDir(t *tree, name string, m *mount, in string) ([]fs.FileInfo, error) {
	f, _, err := m.open(in, x.start)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	all, err := f.ReadDir(20 * maxListed) // sorted below; beyond that in the order of the disk
	if err != nil && len(all) == 0 && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var out []fs.FileInfo
	for _, e := range all {
		if t.secret(strings.TrimPrefix(name+"/"+e.Name(), "/")) {
			continue
		}
		fi, err := e.Info()
		if err != nil || !(fi.Mode().IsRegular() || fi.IsDir()) {
			continue // links as well: where they lead is not known without asking
		}
		out = append(out, fi)
	}
	slices.SortFunc(out, func(a, b fs.FileInfo) int {
		if a.IsDir() != b.IsDir() {
			if a.IsDir() {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name(), b.Name())
	})
	return out, nil
}
