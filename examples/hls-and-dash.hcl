# One set of segments for HLS and DASH: OBS publishes rtmp://HOST/live and any name, and viewers
# watch http://HOST:8080/live/NAME.m3u8 (HLS: phones, TV sets) or /live/NAME.mpd (DASH).
rtmp {
  application "live" {
    # Who may publish: without a block like this, everybody. Viewers see the name "test".
    # stream_key "test" {}

    hls {
      path            = "/nginx/live"
      format          = "fmp4"
      fragment        = "2s"
      playlist_length = "60s"
    }

    # The same path: the MPD names the files that the playlists name.
    dash {
      path  = "/nginx/live"
      clock = "http_iso" # players get the time from rtmpd
    }
  }
}

http {
  location "/live" {
    root = "/nginx"
  }
}
