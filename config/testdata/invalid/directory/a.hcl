rtmp {
  listen = ":1935"
  application "show" {
    hls {
      path     = "/srv/show"
      fragment = "3s"
    }
  }
}
