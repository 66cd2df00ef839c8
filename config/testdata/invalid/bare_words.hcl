rtmp {
  listen = :1935
  application "a" {
    live        = on
    on_conflict = replace
    wait_key    = yes
    hls {
      path   = "/srv/a"
      nested = off
      type   = event
    }
  }
}
