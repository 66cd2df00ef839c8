package nginxconf

import (
	"io/fs"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// Whatever is imported: the importer returns, and what it writes passes the checks.
func FuzzImport(f *testing.F) {
	for _, a := range archives(f) {
		f.Add(string(a.input()))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		fuzztime.Bound(t)
		o := Options{
			Open: func(string) ([]byte, error) { return nil, fs.ErrNotExist },
			Glob: func(string) ([]string, error) { return nil, nil },
		}
		r, err := Import("/etc/nginx/nginx.conf", []byte(text), o)
		if err != nil {
			return
		}
		passes(t, r.HCL)
		for _, n := range r.Notes {
			if n.Line < 1 || n.Text == "" {
				t.Errorf("%v", n)
			}
		}
	})
}
