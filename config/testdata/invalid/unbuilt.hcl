trigger "LIVE_BANDWIDTH" {
  handler = "http://127.0.0.1/x"
}
rtmp {
  defaults {
    on_record_done = "http://127.0.0.1:5000/done"
  }
  application "a" {
    fallback    = "offline"
    on_conflict = "standby"
    exec "publish" "x" {
      command = "true"
    }
    exec "publish" "off" {
      enabled = false
      command = "true"
    }
    record "r" {
      path     = "/srv/$app"
      exec "record_done" "x" {
        command = "true"
      }
    }
    record "names" {
      path     = "/srv/$app"
      filename = "../$name.flv"
      unique   = true
      suffix   = "/.hidden"
    }
    push "p" {
      url     = "rtmp://a.example/live"
      enabled = false
    }
    dash {
      path = "/srv/a"
    }
    hls {
      path   = "/srv/a"
      format = "fmp4"
    }
    stream "x*" {
      on_conflict = "standby"
    }
  }
}
http {
  location "/" {
    api {}
    access = ["allow loopback", "deny all"]
  }
}
