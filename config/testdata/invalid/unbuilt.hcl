acme {
  email = "a@example.org"
}
metrics {
  mist = true
}
trigger "USER_NEW" {
  handler = "http://127.0.0.1/x"
}
rtmp {
  proxy_protocol = ["10.0.0.0/8"]
  on_connect     = "http://127.0.0.1/connect"
  notify_method  = "get"
  defaults {
    wait_video = true
  }
  application "a" {
    wait_key    = false
    gop_cache   = true
    on_conflict = "standby"
    on_publish  = "http://127.0.0.1:5000/publish"
    access {
      play = ["allow all"]
    }
    exec "publish" "x" {
      command = "true"
    }
    exec "publish" "off" {
      enabled = false
      command = "true"
    }
    record "r" {
      path = "/srv/$app"
    }
    push "p" {
      url     = "rtmp://a.example/live"
      enabled = false
    }
    dash {
      path = "/srv/a"
    }
    hls {
      path        = "/srv/a"
      format      = "fmp4"
      low_latency = true
    }
    stream "x*" {
      max_players = 5
    }
  }
}
http {
  location "/" {
    player {}
  }
  location "/metrics" {
    metrics {}
  }
}
