package nginxconf

import (
	"slices"
	"strings"
)

// reasons say why directives that were not mapped are no loss, or what to do.
var reasons = map[string]Note{}

func reason(kind Kind, text string, names ...string) {
	for _, line := range names {
		for name := range strings.FieldsSeq(line) {
			reasons[name] = Note{Kind: kind, Text: text}
		}
	}
}

func init() {
	reason(unneeded, "one process uses all cores", "worker_processes", "worker_connections", "worker_rlimit_nofile", "worker_cpu_affinity", "worker_priority", "events", "use", "multi_accept",
		"accept_mutex", "rtmp_auto_push", "rtmp_auto_push_reconnect", "rtmp_socket_dir", "thread_pool", "worker_shutdown_timeout", "worker_aio_requests", "rtmp_auto_push_socket_dir")
	reason(unneeded, "rtmpd is one binary and runs as a service of systemd, or in the foreground", "user", "pid", "daemon", "master_process", "load_module", "env", "lock_file", "pcre_jit", "working_directory", "timer_resolution", "debug_points", "rtmp_license")
	reason(better, "the log goes to standard error, which systemd keeps; log { file = \"/var/log/rtmpd/rtmpd.log\" } writes a file, level = \"debug\" says more", "error_log", "rtmp_log", "debug_connection")
	reason(unneeded, "rtmpd finds the right size by itself", "out_queue out_cork buffer buflen relay_buffer netcall_buffer hls_audio_buffer_size stream_buckets max_streams")
	reason(unneeded, "rtmpd is right without it", "sync interleave busy play_time_fix publish_time_fix hls_muxdelay session_relay so_keepalive ipv6only hls_allow_client_cache record_interval_size server_index")
	reason(unneeded, "a player starts at the newest keyframe; player_queue says how far it may lag", "gop_cache_count gop_max_frame_count gop_max_video_count gop_max_audio_count gop_cache_max_time")
	reason(changed, "a hook that answers with an rtmp URL does not send the client there: rtmpd pushes the stream to it, or pulls it from it", "notify_send_redirect notify_redirect")
	reason(unneeded, "names are looked up when a connection is made", "resolver resolver_timeout")
	reason(better, "rtmps:// in push and pull is checked against the certificates of the system", "rtmp_relay_ssl_verify rtmp_relay_ssl_protocols rtmp_relay_ssl_ciphers rtmp_relay_ssl_server_name rtmp_relay_ssl_verify_depth rtmp_relay_ssl_trusted_certificate rtmp_relay_ssl_name rtmp_relay_ssl_session_reuse")
	reason(lost, "HTTP-FLV has a path for each stream: NAME.flv beside NAME.m3u8, wherever a location serves the hls of its application", "flv_live flv_live_chunked http_flv flv")
	reason(lost, "there are no virtual hosts: all names share the applications of a listener", "default_server")
	reason(lost, "location \"/metrics\" { metrics {} } has such numbers, for Prometheus; rtmpd top shows them", "stub_status", "vhost_traffic_status_display", "check_status")
	reason(unneeded, "rtmpd writes what players need", "dash_repetition dash_pls_length hls_allow_cache")
	reason(lost, "rtmpd does not merge sources", "merge")
	reason(unneeded, "stat is XML, a page, or JSON with ?format=json", "rtmp_stat_format")
	reason(unneeded, "the log says everything once, at the time", "log_interval log_size")
	reason(lost, "stream keys are built in: stream_key \"NAME\" {}", "publish_key play_key secret")

	reason(unneeded, "rtmpd's HTTP server does this right by itself", "sendfile tcp_nopush tcp_nodelay keepalive_timeout keepalive_requests types_hash_max_size types_hash_bucket_size server_tokens",
		"directio directio_alignment aio open_file_cache open_file_cache_valid open_file_cache_min_uses open_file_cache_errors output_buffers postpone_output sendfile_max_chunk read_ahead",
		"client_max_body_size client_body_buffer_size client_body_timeout client_header_timeout client_header_buffer_size large_client_header_buffers send_timeout reset_timedout_connection",
		"server_names_hash_bucket_size server_names_hash_max_size variables_hash_max_size etag if_modified_since underscores_in_headers log_not_found index charset charset_types http2 max_ranges",
		"lingering_close lingering_time server_name_in_redirect port_in_redirect absolute_redirect chunked_transfer_encoding ignore_invalid_headers merge_slashes msie_padding recursive_error_pages")
	reason(unneeded, "playlists and fragments have the right type", "types default_type video_types")
	reason(unneeded, "fragments do not get smaller, and playlists are small", "gzip gzip_types gzip_vary gzip_proxied gzip_comp_level gzip_buffers gzip_http_version gzip_min_length gzip_disable gzip_static brotli brotli_types brotli_comp_level")
	reason(unneeded, "TLS is as Go has it: 1.2 and 1.3, sound ciphers", "ssl_ciphers ssl_prefer_server_ciphers ssl_session_cache ssl_session_timeout ssl_session_tickets ssl_dhparam ssl_ecdh_curve ssl_stapling ssl_stapling_verify ssl_trusted_certificate ssl_buffer_size ssl_early_data ssl_conf_command ssl")
	reason(changed, "there are no virtual hosts: all names share what listens here", "server_name")
	reason(lost, "a request gets its file, the index.html of its directory, or 404", "try_files")
	reason(unneeded, "a directory is listed in rtmpd's way", "autoindex_exact_size autoindex_format autoindex_localtime")
	reason(lost, "pages for errors are rtmpd's own", "error_page")
}

// rtmpFamilies are outputs whose settings mean nothing while they are off.
var rtmpFamilies = []string{"hls", "dash", "record", "exec", "respawn", "play", "push", "pull", "on", "notify", "netcall"}

// sweep makes a note of every directive that was neither written nor spoken of.
func (im *importer) sweep(list []*directive) {
	for _, d := range list {
		if !d.done {
			im.unmapped(d)
		}
		if d.name != "events" && d.name != "types" {
			im.sweep(d.block)
		}
	}
}

func (im *importer) unmapped(d *directive) {
	if n := len(d.args); d.name == "try_files" && d.arg(n-1) == "=404" {
		im.note(d, unneeded, "what is no file gets 404")
		return
	}
	if r, ok := reasons[d.name]; ok {
		im.note(d, r.Kind, "%s", r.Text)
		return
	}
	family, _, _ := strings.Cut(d.name, "_")
	switch {
	case d.name == "stream" && d.isBlock:
		im.note(d, changed, "TLS in front of RTMP or of a push is built in: rtmp { tls {} }, and push with rtmps://")
		im.forget(d)
	case d.isBlock && (d.name == "server" || d.name == "application" || d.name == "location" || d.name == "http" || d.name == "rtmp"):
		d.done = true
	case !known[d.name] && !d.isBlock:
		im.note(d, lost, "rtmpd has no counterpart")
	case strings.HasPrefix(d.name, "hls_"):
		im.note(d, unneeded, "nothing here has hls on, or another block says otherwise")
	case strings.HasPrefix(d.name, "dash_"):
		im.note(d, unneeded, "nothing here has dash on, or another block says otherwise")
	case strings.HasPrefix(d.name, "record_"):
		im.note(d, unneeded, "nothing here records, or another block says otherwise")
	case known[d.name]:
		im.note(d, unneeded, "nothing here uses it, or another line says it already")
	case slices.Contains(rtmpFamilies, family) && d.isBlock:
		im.note(d, lost, "rtmpd knows no such block")
	default:
		im.note(d, lost, "rtmpd has no counterpart")
		im.forget(d)
	}
}

// known are directives that are mapped where they have an effect.
var known = func() map[string]bool {
	out := make(map[string]bool)
	for _, table := range []map[string]attribute{serverAttributes, applicationAttributes, recordAttributes, hlsAttributes, dashAttributes} {
		for name := range table {
			out[name] = true
		}
	}
	for _, name := range strings.Fields("hls_path dash_path hls_keys hls_key_path hls_key_url hls_fragments_per_key hls_datetime record_path record_suffix record_interval respawn respawn_timeout exec_kill_signal exec_options push_reconnect pull_reconnect play_temp_path play_local_path live hls dash record chunk_size log_format access_log") {
		out[name] = true
	}
	return out
}()
