package web

import "testing"

func TestWhichFileAWildcardPathMeans(t *testing.T) {
	there := map[string]bool{
		"live/base+x.m3u8": true, "live/base+x-0.ts": true, "live/base+x/index.m3u8": true, "live/base+x/0.ts": true, "live/base+x+y.m3u8": true,
		"base+x.m3u8": true,
	}
	for in, want := range map[string]string{
		"live/base x.m3u8":         "live/base+x.m3u8",
		"live/base x+y.m3u8":       "live/base+x+y.m3u8",
		"live/base/x.m3u8":         "live/base+x.m3u8",
		"live/base/x/index.m3u8":   "live/base+x/index.m3u8",
		"live/base/x/0.ts":         "live/base+x/0.ts",
		"live/base/base+x-0.ts":    "live/base+x-0.ts",
		"live/base/base x-0.ts":    "live/base+x-0.ts",
		"base/x.m3u8":              "base+x.m3u8",
		"live/base/y.m3u8":         "",
		"live//x.m3u8":             "",
		"/base/x.m3u8":             "",
		"live/base/../base+x.m3u8": "",
		"a/b/c/d/e/f/base/x.m3u8":  "",
		"live/base/x/":             "",
		"live/base":                "",
	} {
		got, ok := wildcardFile(in, func(alt string) bool { return there[alt] })
		if got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %t, want %q", in, got, ok, want)
		}
	}
}
