package nginxconf

import "strings"

// scope is a block and the blocks around it, from which it inherits.
type scope struct {
	block  []*directive
	parent *scope
}

// own returns the block's own directives of a name.
func (s *scope) own(name string) []*directive {
	var out []*directive
	for _, d := range s.block {
		if d.name == name && !d.isBlock {
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

// nearest returns the directives of a name in the nearest block that has any.
func (s *scope) nearest(names ...string) []*directive {
	for ; s != nil; s = s.parent {
		var out []*directive
		for _, d := range s.block {
			for _, name := range names {
				if d.name == name && !d.isBlock {
					out = append(out, d)
				}
			}
		}
		if out != nil {
			return out
		}
	}
	return nil
}

// all returns the directives of the names, the own ones first, then the parents'.
func (s *scope) all(names ...string) []*directive {
	var out []*directive
	for ; s != nil; s = s.parent {
		at := &scope{block: s.block}
		out = append(out, at.nearest(names...)...)
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
