package record

import (
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// What GNU date prints of these moments, in the C locale.
func TestStrftimeIsThatOfC(t *testing.T) {
	t.Parallel()
	const format = "%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%p|%P|%r|%R|%s|%S|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z"
	for at, want := range map[int64]string{
		1767539167: `Sun|Sunday|Jan|January|Sun Jan  4 15:06:07 2026|20|04|01/04/26| 4|2026-01-04|26|2026|Jan|15|03|004|15| 3|01|06|PM|pm|03:06:07 PM|15:06|1767539167|07|15:06:07|7|01|01|0|00|01/04/26|15:06:07|26|2026|+0000|UTC`,
		1772600767: `Wed|Wednesday|Mar|March|Wed Mar  4 05:06:07 2026|20|04|03/04/26| 4|2026-03-04|26|2026|Mar|05|05|063| 5| 5|03|06|AM|am|05:06:07 AM|05:06|1772600767|07|05:06:07|3|09|10|3|09|03/04/26|05:06:07|26|2026|+0000|UTC`,
		1735689599: `Tue|Tuesday|Dec|December|Tue Dec 31 23:59:59 2024|20|31|12/31/24|31|2024-12-31|25|2025|Dec|23|11|366|23|11|12|59|PM|pm|11:59:59 PM|23:59|1735689599|59|23:59:59|2|52|01|2|53|12/31/24|23:59:59|24|2024|+0000|UTC`,
		1704067200: `Mon|Monday|Jan|January|Mon Jan  1 00:00:00 2024|20|01|01/01/24| 1|2024-01-01|24|2024|Jan|00|12|001| 0|12|01|00|AM|am|12:00:00 AM|00:00|1704067200|00|00:00:00|1|00|01|1|01|01/01/24|00:00:00|24|2024|+0000|UTC`,
		1709210096: `Thu|Thursday|Feb|February|Thu Feb 29 12:34:56 2024|20|29|02/29/24|29|2024-02-29|24|2024|Feb|12|12|060|12|12|02|34|PM|pm|12:34:56 PM|12:34|1709210096|56|12:34:56|4|08|09|4|09|02/29/24|12:34:56|24|2024|+0000|UTC`,
		1230768000: `Thu|Thursday|Jan|January|Thu Jan  1 00:00:00 2009|20|01|01/01/09| 1|2009-01-01|09|2009|Jan|00|12|001| 0|12|01|00|AM|am|12:00:00 AM|00:00|1230768000|00|00:00:00|4|00|01|4|00|01/01/09|00:00:00|09|2009|+0000|UTC`,
		1451653199: `Fri|Friday|Jan|January|Fri Jan  1 12:59:59 2016|20|01|01/01/16| 1|2016-01-01|15|2015|Jan|12|12|001|12|12|01|59|PM|pm|12:59:59 PM|12:59|1451653199|59|12:59:59|5|00|53|5|00|01/01/16|12:59:59|16|2016|+0000|UTC`,
	} {
		if got := strftime(format, time.Unix(at, 0).UTC()); got != want {
			t.Errorf("%d:\ngot  %s\nwant %s", at, got, want)
		}
	}
	for in, want := range map[string]string{"%%": "%", "a%": "a%", "%": "%", "%n%t": "\n\t", "%Q%i": "%Q%i", "": "", "%%Y": "%Y"} {
		if got := strftime(in, time.Unix(0, 0)); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// How the files of a recorder are called.
func TestNamesOfRecordings(t *testing.T) {
	t.Parallel()
	at := time.Unix(1772600767, 0).UTC()
	for _, c := range []struct {
		name   string
		stream string
		cfg    config.Record
		number int
		want   string // empty: it is refused
	}{
		{"plain", "cam", config.Record{Format: "flv"}, 0, "cam.flv"},
		{"a number", "cam", config.Record{Format: "mp4"}, 7, "cam+7.mp4"},
		{"before the last dot", "cam.1", config.Record{Format: "flv", Suffix: ".a.b"}, 1, "cam.1.a+1.b"},
		{"without an extension", "cam", config.Record{Suffix: "-x"}, 1, "cam-x+1"},
		{"a dot in a directory is no extension", "cam", config.Record{Suffix: ".d/x"}, 1, "cam.d/x+1"},
		{"unique", "cam", config.Record{Format: "flv", Unique: true}, 1, "cam-1772600767+1.flv"},
		{"escaped", "a b", config.Record{Format: "flv"}, 0, "a%20b.flv"},
		{"parts of the name", "show+de", config.Record{Filename: "$base.$wildcard.$name.$app"}, 0, "show.de.show+de.live"},
		{"no wildcard", "show", config.Record{Filename: "x$base-$wildcard"}, 0, "xshow-"},
		{"the recorder", "cam", config.Record{Name: "a/b\x00c", Filename: "$recorder-$stream.flv"}, 0, "a_b_c-cam.flv"},
		{"180 bytes escaped", strings.Repeat("ü", 30), config.Record{Format: "flv"}, 0, strings.Repeat("%C3%BC", 30) + ".flv"},
		{"more than that", strings.Repeat("ü", 30) + "x", config.Record{Format: "flv"}, 0, strings.Repeat("ü", 30) + "x.flv"},
		{"an empty part", "cam", config.Record{Suffix: "//x"}, 0, ""},
		{"a directory", "cam", config.Record{Suffix: "/"}, 0, ""},
		{"a hidden part", "cam", config.Record{Suffix: "/.x"}, 0, ""},
		{"a zero byte", "cam", config.Record{Suffix: "/x\x00"}, 0, ""},
		{"letters of all kinds", "azAZ09-._~", config.Record{Format: "ts"}, 0, "azAZ09-._~.ts"},
		{"their neighbours", "`{@[/:", config.Record{Format: "ts"}, 0, "%60%7B%40%5B%2F%3A.ts"},
	} {
		got, err := naming{app: "live", stream: c.stream, cfg: &c.cfg}.file(at, c.number)
		if (err != nil) != (c.want == "") || err == nil && got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if _, err := New(config.Record{Filename: value.Template(".x")}, Options{App: "live", Stream: "cam"}); err == nil || !strings.Contains(err.Error(), `".x" is no name for a file`) {
		t.Errorf("%v", err)
	}
}

func TestADirectoryWithoutANameIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stream, filename, want string }{
		{"show+anna", "$wildcard/$base.flv", "anna/show.flv"},
		{"show", "$wildcard/$base.flv", "show.flv"},
		{"show", "a/$wildcard/$base.flv", "a/show.flv"},
		{"show", "/$wildcard/$base.flv", ""}, // an absolute name
		{"show", "a//$base.flv", ""},
	} {
		got, err := naming{app: "live", stream: c.stream, cfg: &config.Record{Filename: value.Template(c.filename)}}.file(time.Unix(0, 0), 0)
		if (err != nil) != (c.want == "") || err == nil && got != c.want {
			t.Errorf("%s of %s: %q, %v; want %q", c.filename, c.stream, got, err, c.want)
		}
	}
}
