# rtmpd as it is installed. Saving this file reloads it; "rtmpd check" says what is
# wrong with it, "rtmpd plan" what saving would change.
# More: /usr/share/doc/rtmpd/README.md, docs/ and examples/ beside it.

rtmp {
  listen = ":1935"

  application "live" {
    # OBS: Server rtmp://HOST/live, Stream Key: sudo rtmpd key show live
    # Viewers only ever see the name "live".
    stream_key "live" {}

    hls {
      path            = "/var/lib/rtmpd/hls"
      fragment        = "2s" # encoders send a keyframe every 2 s
      playlist_length = "60s"
    }
  }
}

http {
  listen     = ":8080"
  access_log = "/var/log/rtmpd/access.log"

  # http://HOST:8080/live/live.m3u8
  location "/live" {
    alias = "/var/lib/rtmpd/hls"
  }

  # This machine only, unless you say who else.
  location "/stat" {
    stat {}
  }
}
