rtmp {
  application "a" {
    hls { path = "/srv/a", fragment = "3s" }
  }
}
