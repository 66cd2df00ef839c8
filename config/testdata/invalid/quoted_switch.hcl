rtmp {
  application "a" {
    live = "on"
    hls {
      path    = "/srv/a"
      endlist = "false"
      cleanup = 1
      nested  = "maybe"
    }
  }
}
