# rtmpd as it is installed. Saving this file reloads it and disconnects nobody;
# "rtmpd check" says what is wrong with it, "rtmpd plan" what saving would change.
# man rtmpd.hcl has every word of it; examples are in /usr/share/doc/rtmpd.

rtmp {
  listen = ":1935"

  application "show" {
    # OBS: Server rtmp://HOST/show, Stream Key: the secret that this prints:
    #   sudo rtmpd key show test
    # Viewers only ever see the name "test". Without a key nobody can publish.
    stream_key "test" {}

    # One more publisher, whose stream is called "guest":
    # stream_key "guest" {}

    hls {
      path            = "/var/lib/rtmpd/hls/live"
      fragment        = "2s" # encoders send a keyframe every 2 s
      playlist_length = "60s"
    }

    # Nobody plays over RTMP unless you say who.
    access {
      play = ["allow loopback", "deny all"]
    }

    # An MP4 of each stream, for a month:
    # record "all" {
    #   path     = "/var/lib/rtmpd/recordings"
    #   format   = "mp4"
    #   suffix   = "-%Y%m%d-%H%M%S.mp4"
    #   keep_for = "30d"
    # }

    # The same stream to YouTube:
    # push "youtube" {
    #   url = "rtmps://a.rtmps.youtube.com:443/live2"
    #   key = file("/etc/rtmpd/youtube.key")
    # }

    # Ask your own server who may publish and play:
    # on_publish = "http://127.0.0.1:5000/publish" # 2xx allows, 3xx Location renames, anything else refuses
    # on_play    = "http://127.0.0.1:5000/play"
  }
}

http {
  listen          = ":8080"
  trusted_proxies = ["loopback"] # a proxy on this machine; "private" as well if it runs in Docker
  access_log      = "/var/log/rtmpd/access.log"

  # http://HOST:8080/live/test.m3u8, for VLC and for players in other pages
  location "/live" {
    root = "/var/lib/rtmpd/hls" # root + the whole path
  }

  # http://HOST:8080/test.html, a page with a player; / lists what is live.
  location "/" {
    player {}
  }

  # These answer this machine only, unless you say who else.
  location "/stat" {
    stat {}
  }
  location "/metrics" {
    metrics {}
  }
}
