package server

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func hexHash(secret string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(secret))) }

const (
	wrongKey = "wrong stream key"
	asKey    = "this is the name that viewers see"
	keyTime  = "stream key is not valid now"
	keyName  = "the stream key belongs to another stream name"
)

func TestKeysFailClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("keys", `
# HOLDER SECRET
carl carl-secret-0001 stream=show # a comment
dora sha256:`+hexHash("dora-secret-0001")+`
late late-secret-0001 not_after=2001-01-01T00:00:00Z
`)
	r.cfg = r.load(`
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    on_conflict      = "replace"
    reconnect_grace  = 0
    stream_keys_file = "$DIR/keys"
    stream_key "anna" {
      stream = "show"
      secret = "anna-secret-0001"
    }
    stream_key "bert" {
      stream        = "show"
      secret_sha256 = "` + hexHash("bert-secret-0001") + `"
    }
    stream_key "old" {
      secret    = "old-secret-00001"
      not_after = "2001-01-01T00:00:00Z"
    }
    stream_key "soon" {
      secret     = "soon-secret-0001"
      not_before = "2999-01-01T00:00:00Z"
    }
    stream_key "now" {
      secret     = "now-secret-00001"
      not_before = "2001-01-01T00:00:00Z"
      not_after  = "2999-01-01T00:00:00Z"
    }
  }
}`)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name, typed    string
		stream, holder string // of a publisher that is let in
		words          string // of the refusal
	}{
		{"a secret in the name's place", "anna-secret-0001", "show", "anna", ""},
		{"the name and key=", "show?key=anna-secret-0001", "show", "anna", ""},
		{"key= behind other arguments", "show?x=1&key=anna-secret-0001&y", "show", "anna", ""},
		{"a second holder of the stream, known by hash", "bert-secret-0001", "show", "bert", ""},
		{"a holder in the keys file", "carl-secret-0001", "show", "carl", ""},
		{"a hash in the keys file, key=", "dora?key=dora-secret-0001", "dora", "dora", ""},
		{"a key within its time", "now-secret-00001", "now", "now", ""},

		{"a blank behind a secret", "anna-secret-0001 ", "show", "anna", ""},
		{"blanks of other kinds around a hashed one", "\t bert-secret-0001\u00a0\r\n", "show", "bert", ""},
		{"a slash before a secret", "/carl-secret-0001", "show", "carl", ""},
		{"a prefix before a secret", "flv:anna-secret-0001", "show", "anna", ""},
		{"a blank behind key=", "show?key=anna-secret-0001%20", "show", "anna", ""},
		{"blanks around the name and key=", " show /?key=+anna-secret-0001+", "show", "anna", ""},

		{"no key", "show", "", "", asKey},
		{"a blank within a secret", "anna-secret -0001", "", "", wrongKey},
		{"nothing but blanks", "  ", "", "", wrongKey},
		{"no name", "", "", "", wrongKey},
		{"an empty key=", "show?key=", "", "", asKey},
		{"a wrong key=", "show?key=anna-secret-0002", "", "", wrongKey},
		{"a key in capitals", "ANNA-SECRET-0001", "", "", wrongKey},
		{"a key and more", "anna-secret-0001x", "", "", wrongKey},
		{"half a key", "anna-secret", "", "", wrongKey},
		{"the holder's name", "anna", "", "", wrongKey},
		{"the hash in the secret's place", hexHash("bert-secret-0001"), "", "", wrongKey},
		{"the hash as it stands in the file", "sha256:" + hexHash("dora-secret-0001"), "", "", wrongKey},
		{"arguments that are none", "show?key=%zz", "", "", asKey},
		{"a key for another name", "other?key=anna-secret-0001", "", "", keyName},
		{"an expired key", "old-secret-00001", "", "", keyTime},
		{"an expired key with its name", "old?key=old-secret-00001", "", "", keyTime},
		{"an expired key of the file", "late-secret-0001", "", "", keyTime},
		{"a key before its time", "soon-secret-0001", "", "", keyTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := r.in(t)
			from := fmt.Sprintf("127.0.1.%d", i+1)
			if c.words != "" {
				r.refused("show", c.typed, dialling{from: from}, rtmp.StatusPublishDenied, c.words)
				return
			}
			p := r.publishFrom(from, "show", c.typed)
			defer p.Close()
			st := r.stream("show", c.stream)
			if st == nil {
				t.Fatalf("no stream %q", c.stream)
			}
			r.logged("publish started", "publisher:"+c.holder)
		})
	}
}

// in is the rig for a subtest.
func (r *rig) in(t *testing.T) *rig {
	s := &rig{TB: t, srv: r.srv, dir: r.dir, cfg: r.cfg, logs: r.logs}
	return s
}

func TestKeysThatAreAllGoneLetNobodyIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("empty", "")
	r.write("comments", "# nobody yet\n\n")
	r.cfg = r.load(`
rtmp {
  listen = "127.0.0.1:0"
  application "empty" {
    stream_keys_file = "$DIR/empty"
  }
  application "comments" {
    stream_keys_file = "$DIR/comments"
  }
  application "expired" {
    stream_key "a" {
      secret    = "old-secret-00001"
      not_after = "2001-01-01T00:00:00Z"
    }
  }
}`)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	for _, app := range []string{"empty", "comments", "expired"} {
		r.refused(app, "cam", dialling{}, rtmp.StatusPublishDenied, wrongKey)
		r.refused(app, "", dialling{}, rtmp.StatusPublishDenied, wrongKey)
		r.refused(app, "cam?key=", dialling{}, rtmp.StatusPublishDenied, wrongKey)
	}
	r.refused("expired", "old-secret-00001", dialling{}, rtmp.StatusPublishDenied, keyTime)
}

func TestAKeysFileThatCannotBeReadAnyMoreKeepsItsContent(t *testing.T) {
	t.Parallel()
	const conf = `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    stream_keys_file = "$DIR/keys"
  }
}`
	r := newRig(t)
	keys := r.write("keys", "cam first-secret-0001\n")
	r.cfg = r.load(conf)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	p := r.publish("show", "first-secret-0001")

	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	r.reload(conf)
	if err := os.Mkdir(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	r.reload(conf)
	p.seconds(0.5)
	r.eventually("the publisher stays", func() bool { return r.packets("show", "cam") == int(p.sent.Load()) })
	p.cut()
	r.publish("show", "cam?key=first-secret-0001")
	r.refused("show", "cam", dialling{from: "127.0.0.2"}, rtmp.StatusPublishDenied, asKey)

	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	r.write("keys", "# all gone\n") // half written
	r.reload(conf)
	p = r.publishFrom("127.0.0.2", "show", "first-secret-0001")
	failing := r.srv.Snapshot().KeysFailing
	if len(failing) != 1 || failing[0].Path != keys || failing[0].Error == "" || time.Since(failing[0].Since) > time.Minute {
		t.Errorf("the snapshot has %+v", failing)
	}
	if n := r.logs.FilterMessageSnippet("stream_keys_file can't be used").Len(); n != 1 {
		t.Errorf("%d lines in the log, want 1", n)
	}
	r.write("keys", "cam second-secret-001\n")
	r.reload(conf)
	p.ended()
	r.refused("show", "first-secret-0001", dialling{from: "127.0.0.2"}, rtmp.StatusPublishDenied, wrongKey)
	if failing := r.srv.Snapshot().KeysFailing; len(failing) != 0 || r.logs.FilterMessageSnippet("can be used again").Len() != 1 {
		t.Errorf("good again: the snapshot has %+v", failing)
	}
}

func TestKeylessLetsInStrangersByAddressAlone(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    reconnect_grace = 0
    stream_key "cam" {
      secret = "good-secret-0001"
    }
    stream_key "old" {
      secret    = "old-secret-00001"
      not_after = "2001-01-01T00:00:00Z"
    }
    access {
      keyless = ["allow 127.0.0.2", "deny all"]
    }
  }
}`)
	friend := dialling{from: "127.0.0.2"}
	r.refused("show", "guest", dialling{}, rtmp.StatusPublishDenied, wrongKey)
	r.publishFrom(friend.from, "show", "guest")
	if r.stream("show", "guest") == nil {
		t.Error("a friend's stream is not there")
	}
	r.refused("show", "../x", friend, rtmp.StatusPublishDenied, "")
	r.publishFrom(friend.from, "show", "good-secret-0001")
	if st := r.stream("show", "cam"); st == nil {
		t.Error("a friend's key counts for nothing")
	}
	// The secret must not become a public name, though it could be one.
	r.refused("show", "old-secret-00001", friend, rtmp.StatusPublishDenied, keyTime)
	r.refused("show", "guest2?key=good-secret-0001", friend, rtmp.StatusPublishDenied, keyName)
	if r.stream("show", "old-secret-00001") != nil {
		t.Error("an expired secret became a public name")
	}
}

func TestTenWrongKeysAMinuteShutAnAddressOut(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    stream_key "cam" {
      secret = "good-secret-0001"
    }
  }
}`)
	for i := range 10 {
		r.refused("show", fmt.Sprintf("guess-%d", i), dialling{}, rtmp.StatusPublishDenied, wrongKey)
	}
	r.refused("show", "good-secret-0001", dialling{}, rtmp.StatusPublishDenied, "too many wrong stream keys")
	r.publishFrom("127.0.0.2", "show", "good-secret-0001")
}

// Whatever a publisher does with its secret, it is in no log line, no answer,
// no stat page and no file name.
func TestASecretIsNowhereToBeRead(t *testing.T) {
	t.Parallel()
	const conf = `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    reconnect_grace = 0
    stream_key "cam" {
      secret = "good-secret-0001"
    }
    stream_key "old" {
      secret    = "old-secret-00001"
      not_after = "2001-01-01T00:00:00Z"
    }
    access {
      keyless = ["allow 127.0.0.9", "deny all"]
    }
    hls {
      path     = "$DIR/hls"
      fragment = "1s"
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/stat" {
    stat {}
  }
}
log {
  level = "debug"
}`
	r := start(t, conf)
	var answers strings.Builder
	try := func(app, name string, o dialling) {
		c, err := r.tryPublish(app, name, o)
		if err == nil {
			fmt.Fprintln(&answers, c.heard())
			c.Close()
			return
		}
		fmt.Fprintln(&answers, err)
	}
	try("show", "show?key=good-secret-0001", dialling{})
	try("show", "old-secret-00001", dialling{})
	try("show", "old-secret-00001", dialling{from: "127.0.0.9"})
	try("show", "typo-secret-0001", dialling{})
	try("show", "cam?key=typo-secret-0001", dialling{})
	try("show", "good-secret-0001/", dialling{})
	try("show", "mp4:typo-secret-0001 ", dialling{})
	p := r.publish("show", "good-secret-0001") // says releaseStream and FCPublish with it
	p.seconds(2.5)
	r.eventually("a playlist", func() bool { return r.read("hls/cam.m3u8") != "" })
	fmt.Fprintln(&answers, p.heard())

	res, err := http.Get(r.web() + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	stat, err := io.ReadAll(res.Body)
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err != nil || !strings.Contains(string(stat), "<name>cam</name>") {
		t.Fatalf("stat: %v\n%s", err, stat)
	}
	next := strings.Replace(conf, "good-secret-0001", "next-secret-0001", 1)
	plan := r.srv.Plan(r.load(next))
	done := r.reload(next)
	fmt.Fprintln(&answers, p.ended())

	var files strings.Builder
	_ = filepath.WalkDir(filepath.Join(r.dir, "hls"), func(path string, d fs.DirEntry, _ error) error {
		b, _ := os.ReadFile(path)
		fmt.Fprintln(&files, path, strings.ToValidUTF8(string(b), ""))
		return nil
	})
	for where, text := range map[string]string{
		"the log": r.allText(), "the answers": answers.String(), "stat": string(stat), "the files": files.String(),
		"the plan": plan.Text() + done.Text() + done.Summary(),
	} {
		for _, secret := range []string{"good-secret", "old-secret", "typo-secret", "next-secret"} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s has a secret: …%s…", where, text[max(0, i-80):min(len(text), i+40)])
			}
		}
	}
}

// A URL typed in the wrong field puts the key behind the application's name.
func TestASecretInTheApplicationsNameIsNotLogged(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    stream_key "cam" {
      secret = "good-secret-0001"
    }
  }
}`)
	for _, app := range []string{"show/good-secret-0001", "show/cam?key=good-secret-0001", "nobody/good-secret-0001/"} {
		if _, err := r.dial(app, dialling{}); err == nil {
			t.Errorf("application %q was let in", app)
		}
	}
	r.eventually("three refusals", func() bool { return r.logs.FilterMessage("session refused").Len() == 3 })
	if strings.Contains(r.allText(), "good-secret") {
		t.Errorf("the log has the secret:\n%s", r.allText())
	}
}

func TestAKeyIsMadeOnceKeptAndAnnouncedOnce(t *testing.T) {
	t.Parallel()
	const conf = `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    stream_key "cam" {}
  }
}`
	r := start(t, conf)
	if len(r.said) != 1 || !strings.Contains(r.said[0], `stream key of "cam" in application "show"`) {
		t.Fatalf("announced %q", r.said)
	}
	secret, err := origin.KeptKey(string(r.cfg.StateDir), "show", "cam")
	if err != nil || value.ValidSecret(secret) != nil || !strings.HasSuffix(r.said[0], ": "+secret) {
		t.Fatalf("kept key %q, %v; announced %q", secret, err, r.said)
	}
	fi, err := os.Stat(filepath.Join(string(r.cfg.StateDir), "keys/show/cam"))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v, want mode 0600", fi.Mode(), err)
	}
	r.publish("show", secret)
	r.reload(strings.Replace(conf, `"show" {`, "\"show\" {\n    max_publishers = 3", 1))
	if len(r.said) != 1 {
		t.Errorf("announced again: %q", r.said)
	}
	if strings.Contains(r.allText(), secret) {
		t.Error("the key stands in the log")
	}
	if err := os.WriteFile(filepath.Join(string(r.cfg.StateDir), "keys/show/cam"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.srv.Apply(r.load(conf)); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an emptied key file: %v, want an error that says so", err)
	}
}

// A start that fails announces nothing: the one that succeeds has to.
func TestAKeyOfAFailedStartIsAnnouncedByTheNext(t *testing.T) {
	t.Parallel()
	const conf = `
rtmp {
  listen = "127.0.0.1:<P>"
  application "show" {
    stream_key "cam" {}
  }
}`
	r := newRig(t)
	cfg := r.load(ports(conf, taken(t)))
	if _, err := r.srv.Apply(cfg); err == nil || len(r.said) != 0 {
		t.Fatalf("an address in use: %v, announced %q", err, r.said)
	}
	if key, err := origin.KeptKey(string(cfg.StateDir), "show", "cam"); err == nil {
		t.Errorf("kept %s, which nobody was told", key)
	}
	r.reload(strings.Replace(conf, "<P>", "0", 1))
	if len(r.said) != 1 {
		t.Errorf("announced %q", r.said)
	}
}
