package nginxconf

import (
	"strings"
	"testing"
	"time"
)

// Every directive of nginx-rtmp and its fork, with a value that means something, by the
// block that it stands in.
var directives = map[string]string{
	"main":   `rtmp_auto_push on; rtmp_auto_push_reconnect 1s; rtmp_socket_dir /tmp;`,
	"server": `so_keepalive on; timeout 30s; ping 30s; ping_timeout 10s; busy on; max_streams 32; ack_window 5000000; chunk_size 4096; max_message 1M; out_queue 256; out_cork 32; buflen 1s; on_connect http://h/; on_disconnect http://h/; netcall_timeout 10s; netcall_buffer 1k; max_connections 10; relay_buffer 5s; session_relay on; resolver 1.1.1.1;`,
	"application": `live on; play_time_fix on; publish_time_fix on; allow play 10.0.0.1; deny publish 10.0.0.1; stream_buckets 1024; buffer 1s; sync 300ms; interleave on; wait_key on;
		wait_video on; publish_notify on; play_restart on; idle_streams off; drop_idle_publisher 10s; meta copy; exec a; exec_push a; exec_pull a; exec_publish a; exec_play a;
		exec_play_done a; exec_publish_done a; exec_record_done a; exec_record_started a; exec_static a; respawn on; respawn_timeout 5s; exec_kill_signal term; exec_options on;
		hls on; hls_path /h; hls_fragment 5s; hls_max_fragment 10s; hls_playlist_length 30s; hls_muxdelay 700ms; hls_sync 2ms; hls_continuous on; hls_nested on; hls_base_url http://h/;
		hls_cleanup on; hls_fragment_naming system; hls_fragment_naming_granularity 1; hls_fragment_slicing plain; hls_type live; hls_max_audio_delay 300ms; hls_audio_buffer_size 1M;
		hls_variant _a BANDWIDTH=1; hls_keys on; hls_key_path /k; hls_key_url /k/; hls_fragments_per_key 1; hls_datetime system; hls_allow_client_cache enabled;
		dash on; dash_path /d; dash_fragment 5s; dash_playlist_length 30s; dash_cleanup on; dash_nested on; dash_clock_compensation ntp; dash_clock_helper_uri t.example;
		record all; record_path /r; record_suffix .flv; record_unique on; record_append on; record_lock on; record_max_size 1M; record_max_frames 1; record_interval 1h; record_interval_size 1;
		record_notify on; play /v; play_temp_path /t; play_local_path /l; push rtmp://h; pull rtmp://h; push_reconnect 3s; pull_reconnect 3s;
		on_play http://h/; on_publish http://h/; on_done http://h/; on_play_done http://h/; on_publish_done http://h/; on_update http://h/; on_record_done http://h/;
		on_record_started http://h/; on_playlist http://h/; notify_method get; notify_update_timeout 30s; notify_update_strict on; notify_relay_redirect on; notify_send_redirect on;`,
	"location": `rtmp_stat all; rtmp_stat_stylesheet s.xsl;`,
}

// Nothing that nginx-rtmp knows is unknown here, and nothing is passed over without a
// word: it stands in the result, or has a note.
func TestEveryDirectiveIsKnown(t *testing.T) {
	text := directives["main"] + "\nrtmp {\nserver {\nlisten 1935;\n" + directives["server"] + "\napplication a {\n" + directives["application"] +
		"\n}\n}\n}\nhttp {\nserver {\nlocation /s {\n" + directives["location"] + "\n}\nlocation /c { rtmp_control all; }\n}\n}\n"
	r, err := Import("nginx.conf", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range r.Notes {
		if n.Kind == lost {
			t.Errorf("%s", n)
		}
	}
	passes(t, r.HCL)
}

// A directive that nobody knows is named, wherever it stands.
func TestUnknownDirectivesAreNamed(t *testing.T) {
	text := "odd_a 1;\nrtmp {\nodd_b 1;\nserver {\nlisten 1935;\nodd_c 1;\napplication a {\nlive on;\nodd_d 1;\nrecorder r {\nrecord all;\nodd_e 1;\n}\n}\n}\n}\nhttp {\nodd_f 1;\nserver {\nodd_g 1;\nlocation /s {\nrtmp_stat all;\nodd_h 1;\n}\n}\n}\n"
	r, err := Import("nginx.conf", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int)
	for _, n := range r.Notes {
		if n.Kind == lost {
			found[n.Directive] = n.Line
		}
	}
	lines := strings.Split(text, "\n")
	for _, name := range strings.Fields("odd_a odd_b odd_c odd_d odd_e odd_f odd_g odd_h") {
		if line := found[name]; line == 0 || !strings.Contains(lines[line-1], name) {
			t.Errorf("%s: line %d", name, line)
		}
	}
	if r.Complete() {
		t.Error("the result counts as complete")
	}
}

func TestDurations(t *testing.T) {
	for in, want := range map[string]string{
		"10": `"10s"`, "10s": `"10s"`, "500ms": `"500ms"`, "1m": `"1m"`, "90": `"1m30s"`, "1h30m": `"1h30m"`, "1h 30m": `"1h30m"`, "1d": `"1d"`, "1w": `"7d"`, "1M": `"30d"`, "0": `"off"`, "off": `"off"`,
	} {
		if got, err := (attribute{"x", timer, 0}).read(in); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "x", "10x", "1.5s", "99999999999999999999", "9999999999y", "-1"} {
		if got, err := (attribute{"x", duration, 0}).read(in); err == nil {
			t.Errorf("%s: got %s", in, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]string{"1024": `"1k"`, "1000": "1000", "128k": `"128k"`, "1M": `"1M"`, "1024M": `"1G"`, "2g": `"2G"`, "0": "0"} {
		if got, err := (attribute{"x", size, 0}).read(in); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
}

// A file that includes itself, or nests without end, ends in an error.
func TestImportIsBounded(t *testing.T) {
	loop := []byte("include nginx.conf;\ninclude nginx.conf;\n")
	if _, err := Import("/x/nginx.conf", loop, Options{Open: func(string) ([]byte, error) { return loop, nil }}); err == nil {
		t.Error("a file that includes itself was read")
	}
	if _, err := Import("x", []byte(strings.Repeat("a {", 100000)), Options{}); err == nil {
		t.Error("blocks without end were read")
	}
	if _, err := Import("x", []byte(strings.Repeat("a;", 300000)), Options{}); err == nil {
		t.Error("directives without end were read")
	}
}

// Thousands of directives of any kind take seconds, not hours.
func TestLargeFiles(t *testing.T) {
	for name, text := range map[string]string{
		"execs":        "rtmp{server{application a{" + strings.Repeat("exec a;", 3000) + "}}}",
		"applications": "rtmp{server{" + strings.Repeat("odd 1;", 3000) + strings.Repeat("application a{live on;}", 3000) + "}}",
		"rules":        "rtmp{server{application a{" + strings.Repeat("deny 10.0.0.1;", 3000) + "}}}",
		"locations":    "rtmp{server{application a{hls on;hls_path /h;on_play http://localhost/x;}}}http{" + strings.Repeat("server{location /h{root /;}location /x{return 200;}}", 1000) + "}",
	} {
		start := time.Now()
		r, err := Import("x", []byte(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("%s: %v for %d bytes, %d notes", name, d, len(text), len(r.Notes))
		}
	}
}
