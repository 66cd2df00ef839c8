package nginxconf

import "strings"

// rtmpLog maps access_log and log_format.
func (im *importer) rtmpLog(b *item, s *scope) {
	logs := s.nearest("access_log")
	for n, d := range logs {
		if n > 0 {
			im.note(d, lost, "an rtmp block has one access log")
			continue
		}
		if im.logPath(b, d) && len(d.args) > 1 {
			im.logFormat(b, d, im.access[d.arg(1)], rtmpLogVariables)
		}
	}
}

// logPath maps the file of an access log.
func (im *importer) logPath(b *item, d *directive) bool {
	p := d.arg(0)
	if strings.EqualFold(p, "off") {
		im.note(d, unneeded, "there is no access log unless one is named")
		return false
	}
	if strings.HasPrefix(p, "syslog:") || strings.Contains(p, "$") {
		im.note(d, lost, "rtmpd writes its access log to a file: access_log = \"/var/log/rtmpd/access.log\"")
		return false
	}
	b.set(d, "access_log", quote(im.logFile(d, p)))
	return true
}

// logFile is where a log of nginx's is written now.
func (im *importer) logFile(d *directive, p string) string {
	for _, dir := range []string{"/var/log/nginx/", "/usr/local/nginx/logs/", "logs/", "/usr/local/openresty/nginx/logs/"} {
		if rest, ok := strings.CutPrefix(p, dir); ok {
			p = "/var/log/rtmpd/" + rest
			im.note(d, changed, "the log is %s now: rtmpd's service may write there", p)
			break
		}
	}
	return p
}

const (
	rtmpLogVariables = "connection remote_addr app flashver swfurl tcurl pageurl command name args bytes_sent bytes_received " +
		"time_local msec session_time session_readable_time"
	httpLogVariables = "remote_addr remote_user time_local time_iso8601 msec request request_method request_uri uri document_uri args query_string " +
		"status body_bytes_sent request_time host http_host http_referer http_user_agent scheme server_protocol"
)

// logFormat maps the format that an access_log names.
func (im *importer) logFormat(b *item, d, f *directive, known string) {
	if f == nil {
		if n := d.arg(1); n != "combined" && !strings.Contains(n, "=") {
			im.note(d, lost, "there is no log_format %s: the log has the format combined", n)
		}
		return
	}
	words := f.strings()[1:]
	if len(words) > 0 && strings.HasPrefix(words[0], "escape=") {
		words = words[1:]
	}
	line := strings.Join(words, "")
	for _, v := range placeholder.FindAllStringSubmatch(line, -1) {
		name := v[1] + v[2]
		if !strings.Contains(" "+known+" ", " "+name+" ") && !(known == httpLogVariables && strings.HasPrefix(name, "http_") && name != "http_cookie" && name != "http_authorization") {
			im.note(f, lost, "there is no variable $%s: the log has the format combined", name)
			return
		}
	}
	b.set(f, "access_log_format", quote(line))
}
