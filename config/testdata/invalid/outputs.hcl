rtmp {
  application "a" {
    exec "sometimes" "x" {
    }
    exec "publish" "y" {
      command         = []
      kill_signal     = "STOP"
      environment     = { "A=B" = "c" }
      streams         = "foo*"
      respawn_timeout = "0s"
    }
    record "r" {
      format  = "avi"
      tracks  = ["audio", "subtitles"]
      min_free = "lots"
    }
    push "p" {
      url       = "http://a.example/live"
      streams   = ["foo/*"]
      reconnect = 0
    }
    pull "q" {
      stream = "a b"
    }
    vod {
      path = "ftp://x"
    }
    sessions {
      identify = ["stream", "shoe_size"]
      timeout  = "3s"
    }
    dash {
      path            = "/srv/dash"
      playlist_length = "1s"
      clock           = "ntp"
    }
    hls {
      path = "/srv/a"
    }
    on_publish     = "127.0.0.1:5000/publish"
    notify_headers = { "Authori zation" = "x" }
    stream "!x" {
      live = true
      access {
        publish = ["allow all"]
      }
    }
    stream "a/b" {
    }
  }
  application "a/b" {
  }
}
trigger "PUSH_REWRITES" {
  handler  = "ftp://x"
  on_error = "ignore"
}
