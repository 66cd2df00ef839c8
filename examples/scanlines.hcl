rtmp {
  listen = ":1935"

  application "show" {
    # OBS: Server rtmp://HOST/show, Stream Key = the secret. Viewers only ever see the name "test".
    stream_key "test" {
      secret = env("SHOW_KEY", null) # unset: rtmpd makes one, keeps it, prints it once
    }

    hls {
      path            = "/nginx/live"
      fragment        = "2s" # encoders send a keyframe every 2 s
      playlist_length = "60s"
    }

    # on_publish = "http://127.0.0.1:5000/publish"   # 2xx allows, 3xx Location renames, anything else refuses
    # on_play    = "http://127.0.0.1:5000/play"
  }
}

http {
  listen          = ":8080"
  trusted_proxies = ["loopback"]                # Traefik on this host; "private" as well when it runs in Docker
  access_log      = "/var/log/rtmpd/access.log" # combined format: ngxtop, goaccess and friends read it

  location "/live" {
    root = "/nginx" # nginx's rule: root + the whole URI
  }

  location "/stat" {
    stat {}
  }
}
