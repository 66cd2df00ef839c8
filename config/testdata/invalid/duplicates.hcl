log {
  level = "info"
}
log {
  level = "info"
}
rtmp {
  chunk_size = 4096
  chunk_size = 4096
  application "a" {
    hls {
      path = "/srv/a"
    }
    hls {
      path = "/srv/b"
    }
  }
  application "a" {
  }
}
rtmp {
}
