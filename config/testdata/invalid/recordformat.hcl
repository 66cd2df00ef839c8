rtmp {
  application "a" {
    record "all" {
      path   = "/srv/a"
      format = "mp4"
      append = true
      tracks = ["audio", "video", "data"]
    }
  }
}
