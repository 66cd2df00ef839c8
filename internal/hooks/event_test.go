package hooks

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// ffmpeg is a client as nginx-rtmp 1.2.2 showed it to its hooks.
var ffmpeg = Session{
	App: "a", FlashVer: "FMLE/3.0 (compatible; Lavf59.27", TCURL: "rtmp://127.0.0.1:29350/a",
	Addr: "127.0.0.1", ClientID: 1,
}

// ffmpegForm is how nginx-rtmp 1.2.2 sent it.
const ffmpegForm = "app=a&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp://127.0.0.1:29350/a&pageurl=&addr=127.0.0.1"

func TestFormsAreNginxRTMPs(t *testing.T) {
	player := Session{
		App: "a", Args: "ap=1", FlashVer: "LNX 10,0,32,18", TCURL: "rtmp://127.0.0.1:29350/a?ap=1",
		PageURL: "http://p/?q=a b;c", Addr: "127.0.0.1", ClientID: 10,
	}
	const playerForm = "app=a&flashver=LNX%2010,0,32,18&swfurl=&tcurl=rtmp://127.0.0.1:29350/a%3Fap=1&pageurl=http://p/%3Fq=a%20b%3Bc&addr=127.0.0.1"
	st := Stream{Name: "s"}
	for _, c := range []struct {
		name string
		e    Event
		hook Hook
		want string
	}{
		{"connect", Connect(ffmpeg, 6826952*time.Millisecond), OnConnect, ffmpegForm + "&epoch=6826952&call=connect"},
		{"connect with arguments", Connect(player, 6831759*time.Millisecond), OnConnect, "ap=1&" + playerForm + "&epoch=6831759&call=connect"},
		{"epoch past 2^32 ms", Connect(ffmpeg, (1<<32+7)*time.Millisecond), OnConnect, ffmpegForm + "&epoch=7&call=connect"},
		{"disconnect", Disconnect(player), OnDisconnect, "ap=1&" + playerForm + "&clientid=10&call=disconnect&app=a"},
		{"publish", Publish(ffmpeg, st, "live"), OnPublish, ffmpegForm + "&clientid=1&call=publish&name=s&type=live"},
		{"publish with arguments", Publish(ffmpeg, Stream{Name: "s", Args: "tok=1"}, "append"), OnPublish, "tok=1&" + ffmpegForm + "&clientid=1&call=publish&name=s&type=append"},
		{"play", Play(player, st, -1000, 1000, false), OnPlay, playerForm + "&clientid=10&call=play&name=s&start=4294966296&duration=1000&reset=0"},
		{"play with reset", Play(player, st, -2000, -1, true), OnPlay, playerForm + "&clientid=10&call=play&name=s&start=4294965296&duration=4294967295&reset=1"},
		{"publish done", PublishDone(ffmpeg, st), OnPublishDone, ffmpegForm + "&clientid=1&call=publish_done&name=s"},
		{"play done of a renamed stream", PlayDone(ffmpeg, Stream{Name: "s", Public: "p", Args: "x=1"}), OnPlayDone, "x=1&" + ffmpegForm + "&clientid=1&call=play_done&name=s&stream=p"},
		{"done without a name", Done(ffmpeg, Stream{}), OnDone, ffmpegForm + "&clientid=1&call=done"},
		{"renamed to what it was called", Done(ffmpeg, Stream{Name: "s", Public: "s"}), OnDone, ffmpegForm + "&clientid=1&call=done&name=s"},
		{"update of a publisher", Update(ffmpeg, st, true, 3*time.Second+900*time.Millisecond, 1984), OnUpdate, ffmpegForm + "&clientid=1&call=update_publish&time=3&timestamp=1984&name=s"},
		{"update of a player", Update(player, st, false, time.Second, 0), OnUpdate, playerForm + "&clientid=10&call=update_play&time=1&timestamp=0&name=s"},
		{"playlist", Playlist(ffmpeg, Stream{Name: "s", Public: "p", Args: "x=1"}, "hls", "/tmp/hls/p.m3u8"), OnPlaylist, ffmpegForm + "&clientid=1&call=playlist&module=hls&name=s&path=/tmp/hls/p.m3u8&stream=p"},
		{"every byte that nginx escapes", Publish(Session{FlashVer: "\x00\x1f !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\x7f\x80é"}, Stream{Name: "\r\n"}, ""), OnPublish, "app=&flashver=%00%1F%20!%22%23$%25%26'()*%2B,-./:%3B%3C=%3E%3F@[%5C]%5E_%60%7B%7C%7D~%7F%80%C3%A9&swfurl=&tcurl=&pageurl=&addr=&clientid=0&call=publish&name=%0D%0A&type="},
	} {
		if c.e.form != c.want || c.e.Hook != c.hook {
			t.Errorf("%s: %s sends\n%s, want %s\n%s", c.name, c.e.Hook, c.e.form, c.hook, c.want)
		}
	}
}

func TestNumbersOfPlay(t *testing.T) {
	for in, want := range map[float64]uint64{0: 0, 1.9: 1, -2: 1<<32 - 2, 1 << 32: 0, 1e300: 0, -1e300: 0, 1 << 33: 0} {
		if got := modulo32(in); got != want {
			t.Errorf("modulo32(%g) is %d, want %d", in, got, want)
		}
	}
	for _, odd := range []string{"NaN", "Inf"} {
		f := map[string]float64{"NaN": nan(), "Inf": 1 / zero()}[odd]
		if got := modulo32(f); got != 0 {
			t.Errorf("modulo32(%s) is %d, want 0", odd, got)
		}
	}
}

func zero() float64 { return 0 }
func nan() float64  { return zero() / zero() }

func TestArgumentsOfTheCaller(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain ones stay as they are, in their order", "b=2&a=1&a=3&c", "b=2&a=1&a=3&c&"},
		{"encoded ones stay encoded", "t=a%20b+c%C3%a9", "t=a%20b+c%C3%a9&"},
		{"a lone percent sign", "t=100%&u=%4", "t=100%25&u=%254&"},
		{"bytes that would end something", "t=a b#c;d?e\r\nf\x00\xff", "t=a%20b%23c%3Bd%3Fe%0D%0Af%00%FF&"},
		{"empty ones", "&&a=1&&", "a=1&"},
		{"a field of the session", "addr=1.2.3.4&a=1&clientid=9&app=x", "a=1&"},
		{"a field of this call", "name=victim&call=play&type=x&a=1", "a=1&"},
		{"a field of other calls only", "time=5&path=x", "time=5&path=x&"},
		{"the key", "key=secret&a=1", "a=1&"},
		{"the public name, which only a hook gives", "stream=victim&a=1", "a=1&"},
		{"a field in disguise", "%6eame=1&+name=1&NAME=1&name%5B%5D=1&name[x]=1&name%00=1&%20Name%09=1&name", ""},
		{"a field behind a semicolon", "a=1;name=victim", "a=1%3Bname=victim&"},
		{"a name that holds a field's", "names=1&myname=2", "names=1&myname=2&"},
	} {
		const fields = "app=&flashver=&swfurl=&tcurl=&pageurl=&addr=&clientid=0&call=publish&name=n&type=live"
		got := Publish(Session{}, Stream{Name: "n", Args: c.in}, "live").form
		if got != c.want+fields {
			t.Errorf("%s: %q is sent as\n%s, want\n%s", c.name, c.in, got, c.want+fields)
		}
	}
}

func TestKeysAreTakenOutOfURLs(t *testing.T) {
	for in, want := range map[string]string{
		"rtmp://h/a":                      "rtmp://h/a",
		"rtmp://h/a?key=s":                "rtmp://h/a",
		"rtmp://h/a?x=1&key=s&y=2":        "rtmp://h/a?x=1&y=2",
		"rtmp://h/a?KEY=s&%6bey=t&monkey": "rtmp://h/a?monkey",
		"rtmp://h/a?":                     "rtmp://h/a?",
	} {
		s := Session{TCURL: in, SWFURL: in, PageURL: in}
		form, err := url.ParseQuery(Done(s, Stream{}).form)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"tcurl", "swfurl", "pageurl"} {
			if got := form.Get(field); got != want {
				t.Errorf("%s %q is sent as %q, want %q", field, in, got, want)
			}
		}
	}
}

// For any client input each field is there once with its value, and nothing ends the
// form, its line or the request early.
func FuzzForm(f *testing.F) {
	f.Add("s", "a=1&name=x;y#z?%zz&key=1", "rtmp://h/a?key=1", "live")
	f.Add("\r\nX: y", "&=&==&%00name=1", "?", "\x00")
	f.Add("é", "call[]=publish&%20addr=1", "?key", "&type=x")
	f.Fuzz(func(t *testing.T, name, args, tcurl, kind string) {
		fuzztime.Bound(t)
		st := Stream{Name: name, Args: args, Public: "pub"}
		for _, c := range []struct {
			e    Event
			want map[string]string
		}{
			{Publish(Session{App: "a", Addr: "::1", FlashVer: kind, TCURL: tcurl, ClientID: 3}, st, kind), map[string]string{
				"app": "a", "flashver": kind, "addr": "::1", "clientid": "3", "call": "publish", "name": name, "type": kind, "stream": "pub",
			}},
			{Connect(Session{App: "a", Args: args, PageURL: tcurl}, 0), map[string]string{"app": "a", "call": "connect", "epoch": "0"}},
		} {
			if name == "pub" {
				delete(c.want, "stream")
			}
			if i := strings.IndexFunc(c.e.form, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' || r == ';' }); i >= 0 {
				t.Fatalf("%q holds %q", c.e.form, c.e.form[i])
			}
			got, err := url.ParseQuery(c.e.form)
			if err != nil {
				t.Fatalf("%q: %v", c.e.form, err)
			}
			for field, want := range c.want {
				if v := got[field]; len(v) != 1 || v[0] != want {
					t.Errorf("%s is %q, want %q alone in %q", field, v, want, c.e.form)
				}
			}
			for field := range got {
				if strings.EqualFold(field, "key") {
					t.Errorf("a key is sent: %q", c.e.form)
				}
			}
		}
	})
}
