package origin

import "testing"

func TestWhatIsGuarded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, dir string
		want      bool
	}{
		{"/hls/a.ts", "/hls", true},
		{"/hls/x/a.ts", "/hls/", true},
		{"/hls", "/hls", false},
		{"/hlsx/a.ts", "/hls", false},
		{"/hls/show/a.ts", "/hls/$app", true},
		{"/hls/a.ts", "/hls/$app", false},
		{"/hls/show/tv/a.ts", "/hls/$app/tv", true},
		{"/hls/show/a.ts", "/hls/$app/tv", false},
		{"/hls/show-tv/a.ts", "/hls/$app-tv", true},
		{"/hls/show/a.ts", "/hls/$app-tv", false},
		{"/hls/x-show-tv/y/a.ts", "/hls/x-$app-tv/y", true},
		{"/hls/x-show/y/a.ts", "/hls/x-$app-tv/y", false},
	} {
		if got := lies(c.path, c.dir); got != c.want {
			t.Errorf("%s in %s: got %v, want %v", c.path, c.dir, got, c.want)
		}
	}
}
