rtmp {
  application "*" {
    hls {
      path = "/srv/hls/$app"
    }
  }
  application "a" {
    hls {
      path = "/srv/hls/b"
    }
  }
  application "c" {
    hls {
    }
  }
}
