package nginxconf

import (
	"slices"
	"strings"
)

// scope is a block and the blocks around it, from which it inherits.
type scope struct {
	block  []*directive
	parent *scope

	index map[string][]*directive // of block, by name; made at the first use
}

// own returns the block's own directives of a name.
func (s *scope) own(name string) []*directive {
	if s.index == nil {
		s.index = make(map[string][]*directive)
		for _, d := range s.block {
			if !d.isBlock {
				s.index[d.name] = append(s.index[d.name], d)
			}
		}
	}
	return s.index[name]
}

// owns returns the block's own directives of the names, in their order.
func (s *scope) owns(names ...string) (out []*directive) {
	if !slices.ContainsFunc(names, func(name string) bool { return len(s.own(name)) > 0 }) {
		return nil
	}
	for _, d := range s.block {
		if !d.isBlock && slices.Contains(names, d.name) {
			out = append(out, d)
		}
	}
	return out
}

// get returns the directive that is in force: the nearest.
func (s *scope) get(name string) *directive {
	for ; s != nil; s = s.parent {
		if own := s.own(name); len(own) > 0 {
			return own[0]
		}
	}
	return nil
}

// nearest returns the directives of the names in the nearest block that has any.
func (s *scope) nearest(names ...string) []*directive {
	for ; s != nil; s = s.parent {
		if own := s.owns(names...); own != nil {
			return own
		}
	}
	return nil
}

// all returns the directives of the names, the own ones first, then the parents'.
func (s *scope) all(names ...string) (out []*directive) {
	for ; s != nil; s = s.parent {
		out = append(out, s.owns(names...)...)
	}
	return out
}

// on says whether a flag is on.
func (s *scope) on(name string) bool {
	d := s.get(name)
	if d == nil {
		return false
	}
	d.done = true
	return strings.EqualFold(d.arg(0), "on")
}

// copied sets attributes from directives that are in force.
func (im *importer) copied(i *item, s *scope, names []string, table map[string]attribute) {
	for _, name := range names {
		im.set(i, s.get(name), table[name])
	}
}

// drop marks directives of a name everywhere in a scope as done without a word.
func (s *scope) drop(names ...string) {
	for _, d := range s.all(names...) {
		d.done = true
	}
}
