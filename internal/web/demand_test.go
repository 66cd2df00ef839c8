package web

import "testing"

func TestARedirectIsRelative(t *testing.T) {
	for _, c := range []struct{ from, to, query, want string }{
		{"/live/a.m3u8", "/live/b.m3u8", "", "b.m3u8"},
		{"/live/a/index.m3u8", "/live/b/index.m3u8", "x=y", "../b/index.m3u8?x=y"},
		{"/a.m3u8", "/hls/b.m3u8", "", "hls/b.m3u8"},
		{"/live/a.m3u8", "/live/b c+d.m3u8", "q=\"", "b%20c+d.m3u8?q=%22"},
		{"/live/a.m3u8", "/live/b:c.m3u8", "", "./b:c.m3u8"},
	} {
		if got := relativeTo(c.from, c.to, c.query); got != c.want {
			t.Errorf("from %s to %s: got %q, want %q", c.from, c.to, got, c.want)
		}
	}
}
