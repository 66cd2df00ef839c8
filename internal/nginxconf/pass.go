package nginxconf

import (
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config"
)

const (
	resultName = "imported.hcl"
	refusal    = "it stands in the result as a comment: "
)

// pass writes root until rtmpd check and rtmpd fmt -check find nothing: an attribute
// or block that is refused becomes a comment, and the report says so.
func (im *importer) pass(root *item) ([]byte, error) {
	for range 200 {
		var o output
		o.write(root)
		text, _, diags := config.Format([]byte(strings.Join(o.lines, "\n")+"\n"), resultName)
		if !diags.HasErrors() {
			_, _, diags = config.LoadDraft("", config.Draft{Names: []string{resultName}, Texts: []string{string(text)}}, config.LoadOptions{Check: true, Env: map[string]string{}})
		}
		if !diags.HasErrors() {
			return text, nil
		}
		if !im.silence(root, &o, diags) {
			return nil, errors.New("nothing of this file can be taken over: " + diags.Error())
		}
	}
	return nil, errors.New("this file can't be imported: too much of it is refused")
}

// silence makes comments of what the diagnostics are about.
func (im *importer) silence(root *item, o *output, diags hcl.Diagnostics) bool {
	found := false
	for _, d := range diags {
		if d.Severity != hcl.DiagError || d.Subject == nil {
			continue
		}
		line := d.Subject.Start.Line - 1
		if line < 0 || line >= len(o.items) {
			continue
		}
		x := o.items[line]
		if x == root || x.off {
			continue
		}
		found, x.off = true, true
		if slices.ContainsFunc(x.items, func(c *item) bool { return c.off }) {
			continue // what it lacks now has a note
		}
		text := d.Summary
		if d.Detail != "" {
			text += ": " + d.Detail
		}
		im.note(origin(root, x), lost, refusal+"%s", strings.ReplaceAll(text, "\n", " "))
	}
	return found
}

// origin is the directive that an item, or the block around it, was made from.
func origin(i, x *item) *directive {
	for _, c := range i.items {
		if d := origin(c, x); d != nil {
			return d
		}
		if c == x {
			if c.from != nil {
				return c.from
			}
			return i.from
		}
	}
	return nil
}
