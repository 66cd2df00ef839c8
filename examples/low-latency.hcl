# A second or two from camera to viewer, in browsers: low-latency HLS and DASH. The same files
# are plain HLS and DASH for every other player. See docs/low-latency.md.

rtmp {
  listen = ":1935"

  application "show" {
    # OBS: Server rtmp://HOST/show, Stream Key = the secret. Set its keyframe interval to 1 s.
    stream_key "test" {
      secret = env("SHOW_KEY", null) # unset: rtmpd makes one, keeps it, prints it once
    }

    hls {
      path            = "/nginx/live"
      format          = "fmp4"
      low_latency     = true
      fragment        = "1s"    # a fragment begins with a keyframe
      part            = "200ms" # what players load; they stay three of them behind
      playlist_length = "30s"
    }

    dash { # viewers of /live/test.mpd; the same files
      path        = "/nginx/live"
      low_latency = true
      clock       = "http_iso"
    }
  }
}

http {
  listen = ":8080"

  location "/live" {
    root = "/nginx"
  }
}
