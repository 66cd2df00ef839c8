rtmp {
  application "live" {
    fallback = "latest recording"

    record "a" {
      path     = "/srv/a"
      format   = "mkv"
      playlist = "$name.m3u8"
      index    = "lists/recordings.json"
    }

    record "b" {
      path     = "/srv/b"
      format   = "ts"
      playlist = ".hidden.m3u8"
      schedule = ["Mon-Fry 20:00-23:00", "20:00-21:00 Atlantis/Center"]
    }

    push "c" {
      url       = "rtmp://example.org/live/key"
      schedule  = "always"
      not_after = "tomorrow"
    }

    push "d" {
      url        = "rtmp://example.org/live/key"
      schedule   = []
      not_before = "2031-01-02T00:00:00Z"
      not_after  = "2031-01-01T00:00:00Z"
    }
  }
}
