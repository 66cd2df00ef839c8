package value

import (
	"fmt"
	"path/filepath"

	"github.com/zclconf/go-cty/cty"
)

// Path is the absolute path of a file or directory. Relative ones in a
// configuration start at its file. It may hold the placeholders of the
// attribute.
type Path string

// Decode reads a path.
func (p *Path) Decode(v cty.Value, c Context) error {
	s, err := stringOf(v)
	if err == nil && c.Vars != "" {
		err = Template(s).Check(c.Vars)
	}
	if err == nil {
		s, err = c.absolute(s)
	}
	*p = Path(s)
	return err
}

// Encode is the path.
func (p *Path) Encode() cty.Value { return encodeString(*p) }

// Kind is "path".
func (p *Path) Kind() string { return "path" }

// Example is a directory.
func (p *Path) Example() string { return `"/a/directory"` }

// StandIn is a path with the placeholder that some must have.
func (p *Path) StandIn(n int, c Context) cty.Value {
	if c.Vars != "" {
		return cty.StringVal(fmt.Sprintf("/hidden-%d/$app", n))
	}
	return cty.StringVal(fmt.Sprintf("/hidden-%d", n))
}

// Absolute makes a path of a configuration absolute: relative ones start at dir.
func Absolute(path, dir string) (string, error) { return Context{Dir: dir}.absolute(path) }

// Resolve follows the symbolic links of the part of a path that exists.
func Resolve(path string) string {
	path = filepath.Clean(path)
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	dir := filepath.Dir(path)
	if dir == path {
		return path
	}
	return filepath.Join(Resolve(dir), filepath.Base(path))
}

// Sources are directories, and URLs of http or https.
type Sources []string

// Decode reads a list, or one string.
func (s *Sources) Decode(v cty.Value, c Context) error {
	list, err := decodeList[string](v, true, func(s string) (string, error) {
		if isURL(s) {
			return s, checkURL(s, "http", "https")
		}
		return c.absolute(s)
	})
	*s = list
	return err
}

// Encode is the list.
func (s *Sources) Encode() cty.Value { return encodeList(*s, text[string]) }

// Kind is "sources".
func (s *Sources) Kind() string { return "sources" }

// Example is a list of a directory.
func (s *Sources) Example() string { return `["/a/directory"]` }

// StandIn is a URL.
func (s *Sources) StandIn(n int, _ Context) cty.Value { return hiddenURL("http", n, "") }
